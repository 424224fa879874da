import { type Query, query, type SDKMessage, type SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import type { Said } from '../broker/answer-reader.js';
import { BoundRun, type RunToBind } from '../broker/bound-run.js';
import { Pass } from '../broker/pass.js';
import { SYSTEM_PLACEHOLDER, TextRequests, type TextTurn } from '../broker/text-request.js';
import type { PooledProcess } from '../pool/pooled-process.js';
import type { CliBox, CliBoxes } from './cli-box.js';
import { Inbox } from './inbox.js';
import { MessageQueue } from './message-queue.js';
import { ALWAYS } from './sdk-options.js';

/** A process that has not called the model by then does not listen any more. */
const CALLS_WITHIN_MS = 10_000;
const STARTS_WITHIN_MS = 30_000;

type ResultMessage = Extract<SDKMessage, { type: 'result' }>;
/** A model call has come to its end. */
const ANSWERED = { type: 'answered' } as const;
type Heard = SDKMessage | Said | typeof ANSWERED;

/** What is fixed when the process starts. */
interface TextProcessMeans {
  boxes: CliBoxes;
  name: string;
  model: string;
  cliPath: string | undefined;
  /** It is to serve more than one run. */
  isKept: boolean;
}

/**
 * A process of the CLI without tools that answers one text run after the other. Guarantees: between two runs it
 * was reset, and says so itself: a new session, and what it has cost is nothing; the broker sees to it that a
 * run's request holds nothing of another; a process that calls the model while it serves nobody is ended.
 */
export class TextProcess implements PooledProcess {
  private readonly requests = new TextRequests();
  private readonly input = new MessageQueue();
  private readonly inbox = new Inbox<Heard>();
  private readonly messages: Query;
  private session: string | undefined;
  private serving: BoundRun | undefined;
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
        // What the model says is heard from the broker, before the CLI has it.
        includePartialMessages: false,
        systemPrompt: SYSTEM_PLACEHOLDER,
        ...(cliPath ? { pathToClaudeCodeExecutable: cliPath } : {}),
        spawnClaudeCodeProcess: box.spawn,
      },
    });
    box.whenKilled(() => {
      this.input.close();
      this.messages.close();
    });
    void this.listen();
  }

  /** Resolves when it can be told what to say. */
  static async start(means: TextProcessMeans): Promise<TextProcess> {
    const pass = new Pass();
    const box = await means.boxes.open(means.name, pass, { isKept: means.isKept });
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
    const bound: BoundRun = new BoundRun({
      ...run,
      compose: (request) => this.requests.compose(request, turn),
      onSaid: (said) => this.hear(bound, said),
      onAnswer: () => this.hear(bound, ANSWERED),
    });
    return bound;
  }

  /**
   * Tells the CLI what is said, and all that the model answers; and what the CLI tells, up to its result unless the
   * answer is whole before. Abandoned = the process is of no use.
   */
  async *serve(bound: BoundRun, { said }: TextTurn): AsyncGenerator<SDKMessage | Said> {
    this.serving = bound;
    this.pass.serve(bound);
    this.box.beginAnew();
    // As written: no file is mentioned in it and no command of the CLI is run.
    this.isAtWork = true;
    this.input.push({ ...userMessage([...said]), client_composed: true });
    const wedged = setTimeout(() => {
      if (!bound.hasCalled && !bound.refusal) this.box.kill();
    }, CALLS_WITHIN_MS);
    try {
      while (this.isAtWork) {
        const heard = await this.next();
        // All that was said has come before.
        if (heard.type === 'answered' && bound.isWhole) return;
        if (heard.type !== 'answered' && (heard.type !== 'system' || heard.subtype !== 'init')) yield heard;
      }
    } finally {
      clearTimeout(wedged);
    }
  }

  /** The run is over; whoever calls the model from now on is a stray. */
  async leave(): Promise<void> {
    this.serving = undefined;
    await this.pass.leave();
  }

  async reset(): Promise<void> {
    await this.leave();
    while (this.isAtWork) {
      const heard = await this.next();
      if (heard.type === 'result' && heard.is_error)
        throw new Error('the CLI has ended its turn with an error');
    }
    const before = this.session;
    this.session = undefined;
    this.requests.reset();
    this.input.push(userMessage('/clear'));
    let isCleared = false;
    for (;;) {
      const heard = await this.next();
      if (heard.type === 'conversation_reset') isCleared = true;
      if (heard.type !== 'result') continue;
      if (!isCleared || before === undefined || !isNothing(heard) || heard.session_id === before) break;
      this.session = heard.session_id;
      if (this.pass.hadStray) break;
      return;
    }
    throw new Error('the CLI did not say that it has forgotten its conversation');
  }

  async end(): Promise<void> {
    await this.box.end();
  }

  /** Only of the run that is served now. */
  private hear(bound: BoundRun, heard: Heard): void {
    if (bound === this.serving) this.inbox.push(heard);
  }

  private async listen(): Promise<void> {
    try {
      for await (const message of this.messages) this.inbox.push(message);
      this.inbox.end(new Error(`the CLI has ended: ${this.box.stderr.text}`));
    } catch (error) {
      this.inbox.end(error as Error);
    }
  }

  /** What comes next. A message of another session than the present one is no good sign. */
  private async next(): Promise<Heard> {
    const heard = await this.inbox.next();
    if (heard.type === 'result') this.isAtWork = false;
    if (heard.type === 'assistant') {
      this.session ??= heard.session_id;
      if (heard.session_id !== this.session) throw new Error('the CLI told of another session');
    }
    return heard;
  }
}

function isNothing({ is_error: isError, total_cost_usd: cost, num_turns: turns }: ResultMessage): boolean {
  return !isError && cost === 0 && turns === 0;
}

function userMessage(content: SDKUserMessage['message']['content']): SDKUserMessage {
  return { type: 'user', message: { role: 'user', content }, parent_tool_use_id: null };
}
