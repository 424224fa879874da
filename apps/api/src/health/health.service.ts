import { Inject, Injectable, Logger } from '@nestjs/common';
import { AppConfig } from '@app/config';
import packageJson from '../../../../package.json' with { type: 'json' };
import type { HealthDto, PartStateDto, ReadinessDto } from './health.dto.js';
import { READINESS_CHECKS, type ReadinessCheck } from './readiness.js';

const CHECK_TIMEOUT_MS = 2_000;

/**
 * Liveness says only that this process answers; readiness asks every part and never takes longer than two
 * seconds. A part that throws has failed, and why goes to the log, not to the caller.
 */
@Injectable()
export class HealthService {
  private readonly logger = new Logger(HealthService.name);

  constructor(
    private readonly config: AppConfig,
    @Inject(READINESS_CHECKS) private readonly checks: ReadinessCheck[],
  ) {}

  health(): HealthDto {
    const { version } = packageJson;
    return { status: 'ok', version, uptime_seconds: Math.floor(process.uptime()), demo: this.config.demo };
  }

  async readiness(): Promise<ReadinessDto> {
    const states = await Promise.all(
      this.checks.map(async (part) => [part.name, await this.ask(part)] as const),
    );
    const status = states.every(([, { ok }]) => ok) ? 'ready' : 'not_ready';
    return { status, checks: Object.fromEntries(states) };
  }

  private async ask(part: ReadinessCheck): Promise<PartStateDto> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<PartStateDto>((resolve) => {
      timer = setTimeout(resolve, CHECK_TIMEOUT_MS, { ok: false, detail: 'no answer within 2 s' });
    });
    try {
      return await Promise.race([part.check(), late]);
    } catch (err) {
      this.logger.warn({ msg: `the readiness check ${part.name} failed`, err });
      return { ok: false, detail: 'the check failed' };
    } finally {
      clearTimeout(timer);
    }
  }
}
