import { BenchProcess } from './bench-process.js';

/** Milliseconds to the end of an answer, and to its first word where that is told. */
export type Sample = [ms: number, first: number | null];

export interface Slice {
  samples: Sample[];
  seconds: number;
}

interface SliceOptions {
  clients: number;
  /** No client makes a call that begins later; 0: one call each. */
  ms: number;
  /** What is due between two calls is part of the slice. */
  rest?: boolean;
}

/** Clients that have prompts answered in one way, in a process of their own. */
export class Caller {
  private prepared = 0;

  private constructor(private readonly process: BenchProcess) {}

  static async start(way: string, settings: object): Promise<Caller> {
    return new Caller(await BenchProcess.start('main', way, JSON.stringify(settings)));
  }

  get pid(): number {
    return this.process.pid;
  }

  /** What so many clients need is there before they are measured. */
  async prepare(clients: number): Promise<void> {
    if (this.prepared >= clients) return;
    await this.process.order({ order: 'prepare', clients });
    this.prepared = clients;
  }

  async slice(options: SliceOptions): Promise<Slice> {
    const { result } = await this.process.order<{ result: Slice }>({ order: 'slice', ...options });
    return result;
  }

  /** What this way alone has to tell. */
  async told<T>(): Promise<T> {
    return (await this.process.order<{ result: T }>({ order: 'told' })).result;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
