import { availableParallelism } from 'node:os';
import { Logger } from '@nestjs/common';
import type { AppConfig } from '@app/config';
import type { PooledProcess, ProcessKind } from './pooled-process.js';
import { ProcessPool } from './process-pool.js';

const MEBIBYTE = 1024 * 1024;

/** A process whose answers the test gives: the pool decides, and knows nothing of the CLI. */
class FakeProcess implements PooledProcess {
  resets = 0;
  isEnded = false;
  die: () => void;
  readonly gone = new Promise<void>((resolve) => (this.die = resolve));
  constructor(
    public memory = 100 * MEBIBYTE,
    public onReset: () => Promise<void> = async () => undefined,
  ) {}
  memoryBytes() {
    return this.memory;
  }
  async reset() {
    this.resets += 1;
    await this.onReset();
  }
  async end() {
    this.isEnded = true;
    this.die();
  }
}

describe('the pool of processes', () => {
  let now: number;
  let pool: ProcessPool;
  let started: FakeProcess[];
  let failing: boolean;

  function openPool(over: Partial<AppConfig['pool']> = {}): void {
    const settings = { enabled: true, recycle: true, memoryBytes: 1000 * MEBIBYTE, ...over };
    const clock = { monotonicMs: () => now, now: () => new Date(now) };
    pool = new ProcessPool({ pool: settings, maxRuns: 4 } as AppConfig, clock);
    pool.onModuleInit();
  }
  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick', 'performance'] });
    now = 0;
    started = [];
    failing = false;
    openPool();
  });
  afterEach(async () => {
    await pool.onApplicationShutdown();
    jest.useRealTimers();
  });

  it('leaves nothing when it is closed, also of what is at work or only starting', async () => {
    await pool.claim(kind(), 'a');
    await serve('b');
    const late = pool.claim(kind(), 'c');
    await pool.onApplicationShutdown();
    await expect(late).rejects.toThrow('closed');
    expect(started.map(({ isEnded }) => isEnded)).toEqual([true, true, true]);
  });

  const kind = (fingerprint = 'text'): ProcessKind<FakeProcess> => ({
    fingerprint,
    label: fingerprint,
    start: async () => {
      if (failing) throw new Error('it does not start');
      const process = new FakeProcess();
      started.push(process);
      return process;
    },
  });
  const quiet = async () => {
    // What a reset leaves to the answer.
    jest.advanceTimersByTime(4);
    for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  /** So much time passes, in looks of a second. */
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1000;
      jest.advanceTimersByTime(1000);
      await quiet();
    }
  };
  const serve = async (owner?: string, of = kind()) => {
    const claim = await pool.claim(of, owner);
    claim.giveBack();
    await quiet();
    return claim;
  };

  it('starts nothing before anybody came', async () => {
    await pass(10);
    expect(started).toHaveLength(0);
  });

  it('keeps a process for whom it served, reset, and one for whoever comes next', async () => {
    const first = await serve('a');
    await pass(2);
    expect(first).toMatchObject({ warm: false, process: { resets: 1 } });
    expect(started).toHaveLength(2);
    expect((await serve('a')).process).toBe(first.process);
    const other = await serve('b');
    expect([other.warm, other.process]).toEqual([true, started[1]]);
  });

  it('hands nothing to an owner of nothing but what nobody had', async () => {
    const { process } = await serve();
    expect(process.isEnded).toBe(true);
    await serve('a');
    expect((await serve()).process).not.toBe(started[1]);
  });

  it('does not mix kinds', async () => {
    await serve('a', kind('haiku'));
    await pass(2);
    const claim = await serve('a', kind('opus'));
    expect(claim.warm).toBe(false);
  });

  it('waits for the reset of its own process rather than for a new one', async () => {
    const claim = await pool.claim(kind(), 'a');
    let finish: () => void = () => undefined;
    claim.process.onReset = () => new Promise((resolve) => (finish = resolve));
    claim.giveBack();
    const again = pool.claim(kind(), 'a');
    await quiet();
    finish();
    expect((await again).process).toBe(claim.process);
    (await again).giveBack();
    finish();
  });

  it('gives an owner whose process is being reset another one, unless the CPUs are busy', async () => {
    const own = await serve('a');
    await pass(1);
    let finish: () => void = () => undefined;
    own.process.onReset = () => new Promise((resolve) => (finish = resolve));
    (await pool.claim(kind(), 'a')).giveBack();
    const second = await pool.claim(kind(), 'a');
    expect(second.process).not.toBe(own.process);
    await second.discard();

    const others = Array.from({ length: availableParallelism() }, (_, index) =>
      pool.claim(kind(), `other${index}`),
    );
    await Promise.all(others);
    await pass(1);
    const waiting = pool.claim(kind(), 'a');
    await quiet();
    finish();
    expect((await waiting).process).toBe(own.process);
  });

  it('has an owner wait for its quick process at work while the CPUs are busy, but not for long', async () => {
    const own = await serve('quick');
    const slow = await pool.claim(kind(), 'slow');
    await pass(1);
    slow.giveBack();
    await quiet();
    const others = Array.from({ length: availableParallelism() }, (_, index) => `other${index}`);
    for (const owner of ['quick', 'slow', ...others]) await pool.claim(kind(), owner);
    const waits = pool.claim(kind(), 'quick');
    const cannot = await Promise.all([pool.claim(kind(), 'quick'), pool.claim(kind(), 'slow')]);
    for (const { process } of cannot) expect([own.process, slow.process]).not.toContain(process);
    own.giveBack();
    await quiet();
    expect((await waits).process).toBe(own.process);

    const tired = pool.claim(kind(), 'quick');
    await pass(1);
    expect((await tired).process).not.toBe(own.process);
  });

  it('ends a process that is not proven to have forgotten, and one that takes too long to', async () => {
    const liar = await pool.claim(kind(), 'a');
    liar.process.onReset = () => Promise.reject(new Error('it remembers'));
    liar.giveBack();
    const sleeper = await pool.claim(kind(), 'b');
    sleeper.process.onReset = () => new Promise(() => undefined);
    sleeper.giveBack();
    await pass(3);
    expect([liar.process.isEnded, sleeper.process.isEnded]).toEqual([true, true]);
    expect(pool.state().ended.failed).toBe(2);
  });

  it('ends a process after 4,000 uses and after half an hour', async () => {
    const { process } = await serve('a');
    for (let uses = 1; uses < 4_000; uses += 1) expect((await serve('a')).process).toBe(process);
    expect(process.isEnded).toBe(true);
    const next = await serve('a');
    now += 31 * 60_000;
    await pass(1);
    expect(next.process.isEnded).toBe(true);
  });

  it('closes what nobody came for in minutes', async () => {
    await serve('a');
    await pass(2);
    now += 11 * 60_000;
    await pass(2);
    expect(pool.state()).toMatchObject({ processes: 0, ended: { evicted: 2 } });
  });

  it('stays within its memory: the longest unused go first, those at work stay', async () => {
    openPool({ memoryBytes: 250 * MEBIBYTE });
    const working = await pool.claim(kind(), 'a');
    const old = await serve('b');
    now += 1000;
    const recent = await serve('c');
    await pass(1);
    expect([working, old, recent].map(({ process }) => process.isEnded)).toEqual([false, true, false]);
    await working.discard();
  });

  it('takes from an owner who has several before it takes the only one of another', async () => {
    openPool({ memoryBytes: 250 * MEBIBYTE });
    const only = await serve('a');
    now += 1000;
    const several = [await pool.claim(kind(), 'b'), await pool.claim(kind(), 'b')];
    several[0]?.giveBack();
    await quiet();
    now += 1;
    several[1]?.giveBack();
    await quiet();
    await pass(1);
    expect([only, ...several].map(({ process }) => process.isEnded)).toEqual([false, true, false]);
  });

  it('replaces a process that dies, and tries again later and later what does not start', async () => {
    await serve('a');
    await pass(1);
    started[1]?.die();
    await pass(2);
    expect(started).toHaveLength(3);
    failing = true;
    started[2]?.die();
    await pass(20);
    failing = false;
    await pass(20);
    expect(started).toHaveLength(4);
    expect(pool.state().ended.failed).toBe(2);
  });

  it('prepares for as many as came at once, and not for more than may run', async () => {
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, key) => pool.claim(kind(), `key ${key}`)),
    );
    for (const claim of claims) await claim.discard();
    await pass(5);
    expect(pool.state().kinds).toMatchObject([{ fresh: 4 }]);
  });

  it('recycles nothing when that is switched off', async () => {
    openPool({ recycle: false });
    const { process } = await serve('a');
    expect([process.resets, process.isEnded]).toEqual([0, true]);
  });

  it('gives a task a process that waits, and makes one ready when none does', async () => {
    expect(pool.take(kind('task'))).toBeUndefined();
    await pass(2);
    const claim = pool.take(kind('task'));
    expect(claim?.process).toBe(started[0]);
    await claim?.discard();
  });
});
