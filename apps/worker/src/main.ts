import 'reflect-metadata';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { pricesFrom } from '@app/budgets';
import type { AppConfig } from '@app/config';
import { takeInstallation } from '@app/database';
import { CredentialHealth, requireSandbox, Sandbox } from '@app/executor';
import { WorkerModule } from './worker.module.js';

interface RunningWorker {
  /** How it stands, for the operator's terminal. */
  banner: string;
  /** Takes no new task, lets running ones end or cuts them after 30 s, and leaves nothing behind. */
  stop(): Promise<void>;
}

/** `claude-api serve` with `ROLE=worker`. Throws having undone what it had done. */
export async function startWorker(config: AppConfig, logger: LoggerService): Promise<RunningWorker> {
  const undo: (() => void | Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    // Here and not where they are injected: Nest would log the refusal beside its one line.
    pricesFrom(config.pricesFile);
    await requireSandbox(config);
    const database = await takeInstallation(config, undo);
    const app = await NestFactory.createApplicationContext(WorkerModule.of(config, database.url), {
      abortOnError: false,
      logger,
    });
    undo.push(() => app.close());
    const { isolation } = app.get(Sandbox, { strict: false });
    const credential = app.get(CredentialHealth, { strict: false }).check();
    const banner = [
      'Claude Code API Service: a worker',
      `  tasks      up to ${config.maxRuns} at once${isolation.tasksRefused ? `: none will run: ${isolation.tasksRefused}` : ''}`,
      `  database   ${database.mode === 'embedded' ? 'embedded PostgreSQL' : 'the one of DATABASE_URL'}`,
      `  isolation  ${isolation.level} (${isolation.detail})`,
      `  model      ${credential.ok ? `credential of kind ${credential.detail}` : credential.detail}`,
    ].join('\n');
    return { banner, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
