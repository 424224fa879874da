import { type Query, query, type SDKMessage, type SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { BoundRun, type RunToBind } from '../broker/bound-run.js';
import { Pass } from '../broker/pass.js';
import { SYSTEM_PLACEHOLDER, TextRequests, type TextTurn } from '../broker/text-request.js';
import type { PooledProcess } from '../pool/pooled-process.js';
import type { CliBox, CliBoxes } from './cli-box.js';
import { MessageQueue } from './message-queue.js';
import { ALWAYS } from './sdk-options.js';

/** A process that has not called the model by then does not listen any more. */
const CALLS_WITHIN_MS = 10_000;
const STARTS_WITHIN_MS = 30_000;

type ResultMessage = Extract<SDKMessage, { type: 'result' }>;

/** What is fixed when the process starts. */
interface TextProcessMeans {
  boxes: CliBoxes;
  name: string;
  model: string;
  cliPath: string | undefined;
}

/**
 * A process of the CLI without tools that answers one text run after the other. Guarantees: between two runs it
 * was reset, and says so itself: a new session, and what it has cost is nothing; the broker sees to it that a
 * run's request holds nothing of another; a process that calls the model while it serves nobody is ended.
 */
export class TextProcess implements PooledProcess {
  private readonly requests = new TextRequests();
  private readonly input = new MessageQueue();
  private readonly messages: Query;
  private session: string | undefined;
  /** It has not said yet how its turn has ended. */
  private isAtWork = false;

  private constructor(
    readonly box: CliBox,
    private readonly pass: Pass,
    { model, cliPath }: TextProcessMeans,
  ) {
    const { verbatimPrompts: _, ...always } = ALWAYS;
    this.messages = query({
      prompt: this.input,
      options: {
        ...always,
        ...{ settingSources: [], cwd: box.view.workDir, model, tools: [] },
        systemPrompt: SYSTEM_PLACEHOLDER,
        ...(cliPath ? { pathToClaudeCodeExecutable: cliPath } : {}),
        spawnClaudeCodeProcess: box.spawn,
      },
    });
    box.whenKilled(() => {
      this.input.close();
      this.messages.close();
    });
  }

  /** Resolves when it can be told what to say. */
  static async start(means: TextProcessMeans): Promise<TextProcess> {
    const pass = new Pass();
    const box = await means.boxes.open(means.name, pass);
    pass.onStray = () => box.kill();
    try {
      const started = new TextProcess(box, pass, means);
      const late = setTimeout(() => box.kill(), STARTS_WITHIN_MS);
      await started.messages.initializationResult().finally(() => clearTimeout(late));
      return started;
    } catch (error) {
      await box.end();
      throw error;
    }
  }

  get gone(): Promise<void> {
    return this.box.gone;
  }

  memoryBytes(): number {
    return this.box.memoryBytes();
  }

  /** The run as the broker knows it, once it is `serve`d. */
  bound(run: RunToBind, turn: TextTurn): BoundRun {
    return new BoundRun({ ...run, compose: (request) => this.requests.compose(request, turn) });
  }

  /**
   * Tells the CLI what is said, and all that it answers up to its result. Abandoned before the answer was whole =
   * the process is of no use.
   */
  async *serve(bound: BoundRun, { said }: TextTurn): AsyncGenerator<SDKMessage> {
    this.pass.serve(bound);
    this.box.beginAnew();
    // As written: no file is mentioned in it and no command of the CLI is run.
    this.isAtWork = true;
    this.input.push({ ...userMessage([...said]), client_composed: true });
    const wedged = setTimeout(() => {
      if (!bound.hasCalled && !bound.refusal) this.box.kill();
    }, CALLS_WITHIN_MS);
    try {
      for await (const message of this.heard()) {
        if (message.type === 'result') this.isAtWork = false;
        if (message.type !== 'system' || message.subtype !== 'init') yield message;
        if (message.type === 'result') return;
      }
    } finally {
      clearTimeout(wedged);
    }
  }

  /** The run is over; whoever calls the model from now on is a stray. */
  async leave(): Promise<void> {
    await this.pass.leave();
  }

  async reset(): Promise<void> {
    await this.leave();
    await this.lastWord();
    const before = this.session;
    this.session = undefined;
    this.requests.reset();
    this.input.push(userMessage('/clear'));
    let isCleared = false;
    for await (const message of this.heard()) {
      if (message.type === 'conversation_reset') isCleared = true;
      if (message.type !== 'result') continue;
      if (!isCleared || before === undefined || !isNothing(message) || message.session_id === before) break;
      this.session = message.session_id;
      if (this.pass.hadStray) break;
      return;
    }
    throw new Error('the CLI did not say that it has forgotten its conversation');
  }

  /** The sum of a turn whose answer was told already. */
  private async lastWord(): Promise<void> {
    if (!this.isAtWork) return;
    for await (const message of this.heard()) {
      if (message.type !== 'result') continue;
      if (message.is_error) throw new Error('the CLI has ended its turn with an error');
      break;
    }
    this.isAtWork = false;
  }

  async end(): Promise<void> {
    await this.box.end();
  }

  /** What comes next. One reader at a time; a message of another session than the present one is no good sign. */
  private async *heard(): AsyncGenerator<SDKMessage> {
    for (;;) {
      const { value: message, done } = await this.messages.next();
      if (done) throw new Error(`the CLI has ended: ${this.box.stderr.text}`);
      if (message.type === 'stream_event' || message.type === 'assistant') {
        this.session ??= message.session_id;
        if (message.session_id !== this.session) throw new Error('the CLI told of another session');
      }
      yield message;
    }
  }
}

function isNothing({ is_error: isError, total_cost_usd: cost, num_turns: turns }: ResultMessage): boolean {
  return !isError && cost === 0 && turns === 0;
}

function userMessage(content: SDKUserMessage['message']['content']): SDKUserMessage {
  return { type: 'user', message: { role: 'user', content }, parent_tool_use_id: null };
}
