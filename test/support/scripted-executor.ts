import { CliExecutor, type Outcome, type RunEvent, type RunSpec } from '@app/executor';

/** What a scripted run does; `signal` is the one that cancels it. */
export type Script = (spec: RunSpec, signal: AbortSignal) => AsyncIterable<RunEvent>;

/**
 * Stands in for the CLI where a test is about the queue and needs hundreds of runs in seconds; everything around
 * it is real. Counts how many runs work at once.
 */
export class ScriptedExecutor extends CliExecutor {
  working = 0;
  most = 0;

  constructor(public script: Script = answering('done')) {
    super();
  }

  override async *run(spec: RunSpec, signal: AbortSignal): AsyncIterable<RunEvent> {
    this.working += 1;
    this.most = Math.max(this.most, this.working);
    try {
      yield* this.script(spec, signal);
    } finally {
      this.working -= 1;
    }
  }
}

export const ended = (outcome: Partial<Outcome> & { status: Outcome['status'] }): RunEvent => ({
  type: 'ended',
  outcome: { text: '', cliCostUsd: null, finishReason: 'stop', ...outcome } as Outcome,
});

/** Works for so long, then says the text; ends at once when it is cancelled. */
export function answering(text: string, workMs = 0): Script {
  return async function* (spec, signal) {
    yield { type: 'started', model: spec.model };
    if (workMs > 0) await waited(workMs, signal);
    if (signal.aborted) return yield ended({ status: 'cancelled', text: '' });
    yield { type: 'token', content: text };
    yield ended({ status: 'succeeded', text });
  };
}

/** Resolves after the time, or when the signal fires. */
export function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
