import type { Ora } from 'ora';
import { cut, oneLine } from '../printable.js';
import type { Terminal } from '../terminal.js';
import { seconds } from './amounts.js';

/** Tells on stderr what is done while an answer is awaited. */
export interface Progress {
  /** Undefined: as before. `costUsd` is what it has cost so far. */
  now(activity: string | undefined, costUsd?: number): void;
  /** Nothing more is told; nothing is left of a line that was rewritten. */
  end(): void;
}

export const SILENT: Progress = { now: () => undefined, end: () => undefined };

/** The spinner, two spaces behind it and the last column, at which a line would wrap. */
const AROUND = 4;
const LEAST_ACTIVITY = 10;

/** On a terminal that can rewrite a line; elsewhere undefined. */
export async function liveProgress(terminal: Terminal): Promise<Progress | undefined> {
  if (!terminal.watched) return undefined;
  const { default: ora } = await import('ora');
  const line = new StatusLine(terminal);
  // Stdin is the command's own, and Ctrl-C comes as a signal.
  const spinner = ora({ stream: terminal.stderr, discardStdin: false, suffixText: () => line.text });
  return spinner.isEnabled ? line.on(spinner) : undefined;
}

/**
 * One line that says what is done, for how long and for how much, rewritten in place and never wider than the
 * terminal. Whatever else is written meanwhile stands above it (ora sees to that).
 */
class StatusLine implements Progress {
  private readonly startedAt = performance.now();
  private readonly leaving = () => this.end();
  private activity = '';
  private costUsd: number | undefined;
  private spinner: Ora | undefined;

  constructor(private readonly terminal: Terminal) {}

  on(spinner: Ora): this {
    this.spinner = spinner;
    process.once('exit', this.leaving);
    return this;
  }

  now(activity: string | undefined, costUsd?: number): void {
    this.costUsd = costUsd ?? this.costUsd;
    if (activity === undefined || activity === this.activity) return;
    this.activity = activity;
    // At once: what is over before the next frame is seen too.
    this.spinner?.start().render();
  }

  end(): void {
    this.spinner?.stop();
    this.spinner = undefined;
    process.off('exit', this.leaving);
  }

  get text(): string {
    const amounts = amountsOf(this.startedAt, this.costUsd).map((amount) => ` · ${amount}`);
    const tail = amounts.join('');
    const room = this.terminal.columns - AROUND;
    return cut(cut(oneLine(this.activity), Math.max(LEAST_ACTIVITY, room - tail.length)) + tail, room);
  }
}

/** A line for each thing that is done, for a log file or a terminal that cannot rewrite. */
export class PlainProgress implements Progress {
  private readonly startedAt = performance.now();
  private activity = '';
  private costUsd: number | undefined;

  constructor(private readonly terminal: Terminal) {}

  now(activity: string | undefined, costUsd?: number): void {
    this.costUsd = costUsd ?? this.costUsd;
    if (activity === undefined || activity === this.activity) return;
    this.activity = activity;
    const amounts = amountsOf(this.startedAt, this.costUsd).join('  ');
    this.terminal.say(`${amounts}  ${oneLine(activity)}`);
  }

  end(): void {}
}

function amountsOf(startedAt: number, costUsd: number | undefined): string[] {
  const elapsed = seconds(performance.now() - startedAt);
  return costUsd === undefined ? [elapsed] : [elapsed, `$${costUsd.toFixed(4)}`];
}
