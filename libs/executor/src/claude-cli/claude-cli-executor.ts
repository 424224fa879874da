import { query } from '@anthropic-ai/claude-agent-sdk';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { BoundRun } from '../broker/bound-run.js';
import { Broker } from '../broker/broker.js';
import { CliExecutor } from '../cli-executor.js';
import type { RunEvent } from '../run-events.js';
import type { RunSpec } from '../run-spec.js';
import { RunFolders } from '../sandbox/run-folders.js';
import { Sandbox, type SandboxedProcess } from '../sandbox/sandbox.js';
import { CliReport } from './cli-report.js';
import { outcomeOf } from './outcome.js';
import { cliEnvironment, sdkOptions } from './sdk-options.js';
import { StderrTail } from './stderr-tail.js';

const MEBIBYTE = 1024 * 1024;
/** The CLI alone rests at 150 to 260 MB and has some ten threads. */
const TEXT_LIMITS = { memoryBytes: 1024 * MEBIBYTE, processes: 64 };

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
    const report = new CliReport();
    const session = await this.start(spec, bound);
    stop.addEventListener('abort', session.kill, { once: true });
    if (stop.aborted) session.kill();
    try {
      for await (const message of session.messages) {
        const event = report.hear(message);
        if (event) yield event;
        if (report.finished) break;
      }
    } catch (error) {
      report.trouble = `${String(error)} ${session.stderr.text}`;
    } finally {
      stop.removeEventListener('abort', session.kill);
      await session.end();
    }
    for (const usage of bound.usages) yield { type: 'usage', usage };
    const stoppedBy = signal.aborted ? 'cancelled' : deadline.aborted ? 'timed_out' : null;
    yield { type: 'ended', outcome: outcomeOf({ report, broker: bound, stoppedBy }) };
  }

  private async start(spec: RunSpec, bound: BoundRun) {
    const folder = await this.folders.make(spec.runId);
    const { token, door, release } = await this.broker.bind(bound, this.sandbox.brokerSocket(folder));
    const content = { folder, workspace: spec.agentic?.workspace, broker: door };
    await this.sandbox.prepare(content);
    const view = this.sandbox.view(content);
    const stderr = new StderrTail();
    let child: SandboxedProcess | undefined;
    const messages = query({
      prompt: spec.prompt,
      options: {
        ...sdkOptions(spec, view, this.config.cliPath),
        spawnClaudeCodeProcess: ({ command, args }) => {
          const env = cliEnvironment(view, token, this.config.credential?.kind ?? 'api_key');
          const limits = spec.agentic?.limits ?? TEXT_LIMITS;
          child = this.sandbox.spawn({ command, args, env, limits, ...content });
          stderr.follow(child.stderr);
          return child;
        },
      },
    });
    const kill = () => {
      if (child) this.sandbox.kill(child);
      messages.close();
    };
    const end = async () => {
      kill();
      await release();
      await this.folders.remove(folder);
    };
    return { messages, stderr, kill, end };
  }
}
