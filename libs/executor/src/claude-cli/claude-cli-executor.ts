import { query, type SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { BoundRun } from '../broker/bound-run.js';
import { Broker } from '../broker/broker.js';
import { CliExecutor } from '../cli-executor.js';
import type { RunEvent } from '../run-events.js';
import type { RunSpec } from '../run-spec.js';
import { RunFolders } from '../sandbox/run-folders.js';
import { type BoxContent, Sandbox, type SandboxedProcess } from '../sandbox/sandbox.js';
import { bounded } from './bounded-output.js';
import { CliReport } from './cli-report.js';
import { saidNow, writeTranscript } from './earlier-turns.js';
import { outcomeOf } from './outcome.js';
import { cliEnvironment, sdkOptions } from './sdk-options.js';
import { makeSkillPlugin } from './skill-plugin.js';
import { StderrTail } from './stderr-tail.js';
import { ToolTrail } from './tool-trail.js';

const MEBIBYTE = 1024 * 1024;
/** The CLI alone rests at 150 to 260 MB and has some ten threads. */
const TEXT_LIMITS = { memoryBytes: 1024 * MEBIBYTE, processes: 64 };

/** How long a run that was stopped may still tell what it had said. */
const LAST_WORDS_MS = 1_000;

/** A text run is given no tool; should the CLI try one all the same, it is refused. */
const denyAll = () =>
  ({ allowed: false, item: 'tool', rule: 'text', message: 'a text run has no tools' }) as const;

/** One process of the CLI in its box. After `end` nothing of it is left. */
interface CliSession {
  messages: AsyncIterable<SDKMessage>;
  stderr: StderrTail;
  kill: () => void;
  end: () => Promise<void>;
  /** It was killed a while ago: what it had still to tell is left untold. */
  hasSaidEnough: () => boolean;
  exceeded: () => SandboxedProcess['exceeded'];
}

/**
 * The real executor: one process of the Claude Code CLI per run, through the official Agent SDK, in a
 * throw-away home, speaking to the model only through the broker.
 */
@Injectable()
export class ClaudeCliExecutor extends CliExecutor {
  constructor(
    private readonly config: AppConfig,
    private readonly broker: Broker,
    private readonly sandbox: Sandbox,
    private readonly folders: RunFolders,
  ) {
    super();
  }

  override async *run(spec: RunSpec, signal: AbortSignal): AsyncGenerator<RunEvent> {
    const deadline = AbortSignal.timeout(spec.limits.deadlineMs);
    const stop = AbortSignal.any([signal, deadline]);
    const bound = new BoundRun(spec);
    const trail = new ToolTrail(spec.agentic?.decide ?? denyAll);
    const report = new CliReport(trail, spec.agentic !== undefined);
    let session: CliSession | undefined;
    const kill = () => session?.kill();
    try {
      session = await this.start(spec, bound, trail);
      stop.addEventListener('abort', kill, { once: true });
      if (stop.aborted) kill();
      for await (const message of session.messages) {
        yield* report.hear(message);
        // The broker knows before the CLI has told what was said: usage waits until the turn is over.
        if (message.type === 'user') yield* usagesOf(bound);
        // What still waits to be told when the run was stopped: a flood must not outlive its deadline.
        if (report.finished || session.hasSaidEnough()) break;
      }
    } catch (error) {
      report.trouble = `${String(error)} ${session?.stderr.text ?? ''}`;
    } finally {
      stop.removeEventListener('abort', kill);
      await session?.end();
    }
    yield* trail.take();
    yield* usagesOf(bound);
    const outcome = outcomeOf({
      ...{ report, broker: bound, exceeded: session?.exceeded() },
      ...{ isTask: spec.agentic !== undefined, outputWanted: spec.agentic?.outputSchema !== undefined },
      stoppedBy: whoStopped(signal, deadline),
    });
    yield { type: 'ended', outcome };
  }

  private async start(spec: RunSpec, bound: BoundRun, trail: ToolTrail): Promise<CliSession> {
    const folder = await this.folders.make(spec.runId);
    const undo = [() => this.folders.remove(folder)];
    const clear = async () => {
      for (const step of undo.splice(0).toReversed()) await step();
    };
    try {
      if (spec.agentic?.skills.length) await makeSkillPlugin(folder.pluginDir, spec.agentic.skills);
      await writeTranscript(folder.transcriptPath, spec);
      const { token, door, release } = await this.broker.bind(bound, this.sandbox.brokerSocket(folder));
      undo.push(release);
      const content = { folder, workspace: spec.agentic?.workspace, broker: door };
      await this.sandbox.prepare(content);
      return this.session(spec, trail, { content, token, clear });
    } catch (error) {
      await clear();
      throw error;
    }
  }

  private session(
    spec: RunSpec,
    trail: ToolTrail,
    { content, token, clear }: { content: BoxContent; token: string; clear: () => Promise<void> },
  ): CliSession {
    const view = this.sandbox.view(content);
    const env = cliEnvironment(view, token, this.config.credential?.kind ?? 'api_key');
    const limits = spec.agentic?.limits ?? TEXT_LIMITS;
    const stderr = new StderrTail();
    let child: SandboxedProcess | undefined;
    let killedAt = Infinity;
    const messages = query({
      prompt: saidNow(spec),
      options: {
        ...sdkOptions(spec, view, this.config.cliPath, trail),
        spawnClaudeCodeProcess: ({ command, args }) => {
          child = this.sandbox.spawn({ command, args, env, limits, ...content });
          stderr.follow(child.stderr);
          return bounded(child, () => flooded());
        },
      },
    });
    const kill = () => {
      killedAt = Math.min(killedAt, performance.now());
      if (child) this.sandbox.kill(child);
      messages.close();
    };
    const flooded = () => {
      stderr.text = 'it said more than a run may say';
      kill();
    };
    const end = async () => {
      kill();
      await clear();
    };
    const hasSaidEnough = () => performance.now() > killedAt + LAST_WORDS_MS;
    return { messages, stderr, kill, end, hasSaidEnough, exceeded: () => child?.exceeded };
  }
}

function whoStopped(signal: AbortSignal, deadline: AbortSignal): 'cancelled' | 'timed_out' | null {
  if (signal.aborted) return 'cancelled';
  return deadline.aborted ? 'timed_out' : null;
}

function usagesOf(bound: BoundRun): RunEvent[] {
  return bound.takeUsages().map((usage) => ({ type: 'usage', usage }));
}
