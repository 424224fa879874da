import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { fingerprintOf } from '../pool/fingerprint.js';
import type { Claim, ProcessKind } from '../pool/pooled-process.js';
import { ProcessPool } from '../pool/process-pool.js';
import type { RunSpec } from '../run-spec.js';
import { CliBoxes } from './cli-box.js';
import type { CliSession } from './cli-session.js';
import { textTurnOf } from './earlier-turns.js';
import { TextProcess } from './text-process.js';
import { unlessStopped } from './unless-stopped.js';

/** Runs that a process of the pool can serve, at work in one. */
@Injectable()
export class PooledSessions {
  constructor(
    private readonly config: AppConfig,
    private readonly boxes: CliBoxes,
    private readonly pool: ProcessPool,
  ) {}

  /**
   * All that differs from one text run to the next is put into its request by the broker, but not the model: much
   * of a request follows from it. A subscription's requests are marked by their first words, so nothing may be put
   * before those.
   */
  canServe({ agentic, history }: RunSpec): boolean {
    if (agentic || !this.pool.isEnabled) return false;
    return !this.isMarked || !history?.some(({ role }) => role === 'assistant');
  }

  /** Rejects when there is no process to be had. Undefined = the run was stopped while it waited for one. */
  async start(spec: RunSpec, stop: AbortSignal): Promise<CliSession | undefined> {
    const owner = this.isMarked ? undefined : spec.recycleFor;
    const claiming = this.pool.claim(this.textKind(spec.model), owner);
    const claim = await unlessStopped(claiming, stop);
    if (claim) return this.atWork(spec, claim);
    void discardLate(claiming);
    return undefined;
  }

  /** A run has left its process, and starts anew elsewhere. */
  rescued(): void {
    this.pool.rescued();
  }

  private atWork(spec: RunSpec, { process, warm, giveBack, discard }: Claim<TextProcess>): CliSession {
    const turn = textTurnOf(spec);
    const bound = process.bound(spec, turn);
    const end = async (isClean: boolean) => {
      if (!isClean) return discard();
      await process.leave();
      giveBack();
    };
    return { bound, box: process.box, messages: process.serve(bound, turn), pooled: { warm }, end };
  }

  private textKind(model: string): ProcessKind<TextProcess> {
    const { cliPath, pool } = this.config;
    const isKept = pool.recycle && !this.isMarked;
    const fingerprint = fingerprintOf({ for: 'text', model, cliPath });
    const start = () => {
      const name = `pool_${randomUUID()}`;
      return TextProcess.start({ boxes: this.boxes, name, model, cliPath, isKept });
    };
    return { fingerprint, label: `text ${model}`, start };
  }

  private get isMarked(): boolean {
    return this.config.credential?.kind === 'oauth_token';
  }
}

async function discardLate(claiming: Promise<Claim>): Promise<void> {
  try {
    await (await claiming).discard();
  } catch {
    // There was none to be had.
  }
}
