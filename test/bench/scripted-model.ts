import type { ScriptedAnswer } from '../support/model-stand-in.js';
import { BenchProcess } from './bench-process.js';

const TEXT = 'A mutex is a lock that only one may hold. '.repeat(4);

/** What the models of the benchmarks say. */
export const MODELS = {
  /** Answers at once. */
  instant: { text: TEXT, chunks: 5 },
  /** 300 ms to the first token, then 25 tokens at 50 a second. */
  realistic: { text: TEXT, chunks: 25, firstDelayMs: 300, chunkDelayMs: 20 },
} satisfies Record<string, ScriptedAnswer>;

/** The model's API in a process of its own: neither its CPU nor its memory is anybody's whom a benchmark compares. */
export class ScriptedModel {
  private constructor(private readonly process: BenchProcess<{ url: string }>) {}

  static async start(answer: ScriptedAnswer | { echo: true }): Promise<ScriptedModel> {
    const model = new ScriptedModel(await BenchProcess.start('model'));
    await model.say(answer);
    return model;
  }

  get url(): string {
    return this.process.started.url;
  }

  async say(answer: ScriptedAnswer | { echo: true }): Promise<void> {
    await this.process.order({ answer });
  }

  /** Of those that it was asked as an echo: how many, and which held more than one canary, or none. */
  async seen(): Promise<{ requests: number; foreign: string[][] }> {
    const { seen } = await this.process.order<{ seen: { requests: number; foreign: string[][] } }>({});
    return seen;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
