import type { RunEvent } from '../run-events.js';
import type { RunSpec } from '../run-spec.js';
import type { SandboxedProcess } from '../sandbox/sandbox.js';
import type { BoundRun } from '../broker/bound-run.js';
import { CliReport } from './cli-report.js';
import type { CliSession } from './cli-session.js';
import { ToolTrail } from './tool-trail.js';
import { unlessStopped } from './unless-stopped.js';

/** A text run is given no tool; should the CLI try one all the same, it is refused. */
const denyAll = () =>
  ({ allowed: false, item: 'tool', rule: 'text', message: 'a text run has no tools' }) as const;

/** Undefined = there is none after all. */
export type StartSession = (trail: ToolTrail) => Promise<CliSession | undefined>;

/** One process at work on a run, from its start to its end, told as events. The process is gone afterwards, or rests. */
export class CliAttempt {
  readonly report: CliReport;
  bound: BoundRun | undefined;
  exceeded: SandboxedProcess['exceeded'];
  private readonly trail: ToolTrail;
  private hasTold = false;

  /** `hasStarted`: an attempt before this one has told that the run started. */
  constructor(
    private readonly spec: RunSpec,
    private readonly stop: AbortSignal,
    public hasStarted = false,
  ) {
    this.trail = new ToolTrail(spec.agentic?.decide ?? denyAll);
    this.report = new CliReport(this.trail, spec.agentic !== undefined);
  }

  async *events(start: StartSession): AsyncGenerator<RunEvent> {
    let session: CliSession | undefined;
    const kill = () => session?.box.kill();
    try {
      session = await start(this.trail);
      if (!session) return;
      this.bound = session.bound;
      this.stop.addEventListener('abort', kill, { once: true });
      if (this.stop.aborted) kill();
      yield* this.heardIn(session);
    } catch (error) {
      this.report.trouble = `${String(error)} ${session?.box.stderr.text ?? ''}`;
      yield* this.untold();
    } finally {
      this.stop.removeEventListener('abort', kill);
      this.exceeded = session?.box.exceeded;
      await session?.end(this.isClean);
    }
    yield* this.trail.take();
    yield* this.usages();
  }

  /** The process was no good, and nothing of its answer was told: another one can have the run. */
  get isLost(): boolean {
    const { bound, report } = this;
    if (!bound) return true;
    // What a task has done is done.
    if (this.spec.agentic && bound.hasCalled) return false;
    if (this.hasTold || bound.answered || this.exceeded) return false;
    return bound.refusal ? bound.refusal.kind === 'unproven' : !report.finished;
  }

  private async *heardIn({ messages, pooled, box, bound }: CliSession): AsyncGenerator<RunEvent> {
    // A text process that was claimed has nothing more to begin with.
    if (pooled && !this.spec.agentic) yield* this.started(pooled.warm);
    for await (const message of messages) {
      for (const event of this.report.hear(message)) {
        this.hasTold ||= event.type === 'token' || event.type === 'thinking';
        if (event.type === 'started') yield* this.started(pooled?.warm);
        else yield event;
      }
      // The broker knows before the CLI has told what was said: usage waits until the turn is over.
      if (message.type === 'user') yield* usagesOf(bound);
      // What still waits to be told when the run was stopped: a flood must not outlive its deadline.
      if (this.report.finished || box.hasSaidEnough()) break;
    }
  }

  private *started(warm?: boolean): Generator<RunEvent> {
    if (!this.hasStarted) yield { type: 'started', model: this.spec.model, ...(warm ? { warm } : {}) };
    this.hasStarted = true;
  }

  /** The process has died over an answer that is paid for: the broker has it too, and reads it to its end. */
  private async *untold(): AsyncGenerator<RunEvent> {
    const { bound, report, stop } = this;
    if (!bound || this.spec.agentic || stop.aborted) return;
    await unlessStopped(bound.settled(), stop);
    if (!bound.answered || !bound.answerText.startsWith(report.text)) return;
    const rest = bound.answerText.slice(report.text.length);
    report.text += rest;
    if (rest) yield { type: 'token', content: rest };
  }

  private get isClean(): boolean {
    const { bound, report, stop } = this;
    const { last } = report;
    // Without a last word the answer was whole before the CLI had told of it.
    const isSuccess = !report.trouble && (last === null || (last.subtype === 'success' && !last.is_error));
    return bound?.isWhole === true && isSuccess && !bound.refusal && !stop.aborted;
  }

  private *usages(): Generator<RunEvent> {
    if (this.bound) yield* usagesOf(this.bound);
  }
}

function usagesOf(bound: BoundRun): RunEvent[] {
  return bound.takeUsages().map((usage) => ({ type: 'usage', usage }));
}
