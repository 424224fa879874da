import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller, Sample, Slice } from './caller.js';
import { percentiles } from './percentiles.js';
import { ProcessTrees } from './process-trees.js';

/** One way to have a prompt answered. */
export interface Contestant {
  name: string;
  caller: Caller;
  /** Whose CPU and memory it takes. */
  trees: ProcessTrees;
  /** A process for each request: it takes its part less often, and with one call of each client. */
  isSlow?: boolean;
  /** What is due between two calls counts. */
  rest?: boolean;
  /** First of those that share its processes, which have to be warm: a process compiles its code for dozens of turns. */
  warmUpMs?: number;
  /** Where more clients than this would only be in each other's way. */
  mostClients?: number;
}

interface Counted {
  samples: Sample[];
  seconds: number;
  cpuSeconds: number;
  peakMb: number;
}

const SLOW_EVERY = 8;
const PAUSE_MS = 30;
/** It is quiet when it takes less than a fifth of one CPU. */
const QUIET = { lookEveryMs: 100, cpuSeconds: 0.02, atMostMs: 2_000 };
const CLI = 'claude';
/** So that nobody always comes after the same, who may have left the machine in another state. */
const NEXT_TURN_BEGINS = 4;
/** Looking takes time, too; but a process that ends soon has to be seen. */
const LOOK_EVERY_MS = { slow: 200, others: 700 };

/**
 * Compares ways on a machine that may be shared: they take turns in short pieces, so that what the machine does
 * besides hits all alike. What is measured is told by processes that do nothing else. For seconds after a load, the
 * processes of the CLI collect their garbage: they are stopped while others have their turn, and do it in their own.
 */
export class Contest {
  constructor(private readonly contestants: Contestant[]) {}

  /** One client, one call of each in a round, each time in another order. What is due after a call is not waited for. */
  async latencies(rounds: number, warmUp: number): Promise<Record<string, object>> {
    const samples = new Map<string, Sample[]>(this.contestants.map(({ name }) => [name, []]));
    for (const { caller } of this.contestants) await caller.prepare(1);
    for (let round = -warmUp; round < rounds; round += 1) {
      for (const contestant of this.turns(round)) {
        const slice = await contestant.caller.slice({ clients: 1, ms: 0 });
        if (round >= 0) samples.get(contestant.name)!.push(...slice.samples);
        await sleep(PAUSE_MS);
      }
    }
    return Object.fromEntries([...samples].map(([name, taken]) => [name, told(taken)]));
  }

  /** So many clients at once, in `turns` slices of `ms` each. */
  async load(clients: number, turns: number, ms: number): Promise<Record<string, object>> {
    const counts = new Map<string, Counted>();
    try {
      for (const contestant of this.contestants) await this.warmUp(contestant, clients, ms);
      for (let turn = 0; turn < turns; turn += 1) {
        for (const contestant of rotated(this.contestants, turn * NEXT_TURN_BEGINS)) {
          const before = counts.get(contestant.name);
          counts.set(contestant.name, added(before, await this.measured(contestant, clients, ms)));
        }
      }
    } finally {
      for (const { trees } of this.contestants) trees.goOn(CLI);
    }
    return Object.fromEntries([...counts].map(([name, counted]) => [name, summed(counted)]));
  }

  private turns(round: number): Contestant[] {
    const due = this.contestants.filter(({ isSlow }) => !isSlow || (round >= 0 && round % SLOW_EVERY === 0));
    return rotated(due, Math.abs(round));
  }

  private async warmUp(contestant: Contestant, clients: number, ms: number): Promise<void> {
    contestant.trees.goOn(CLI);
    await contestant.caller.prepare(clientsOf(contestant, clients));
    const { isSlow, warmUpMs = ms } = contestant;
    if (!isSlow) await this.slice(contestant, clients, warmUpMs);
    await this.pause(contestant);
  }

  private slice(contestant: Contestant, clients: number, ms: number): Promise<Slice> {
    const { caller, isSlow, rest } = contestant;
    return caller.slice({ clients: clientsOf(contestant, clients), ms: isSlow ? 0 : ms, rest });
  }

  /** Once it has done what could not wait: a process that was stopped while it forgets a turn would be given up. */
  private async pause({ trees }: Contestant): Promise<void> {
    const endsAt = performance.now() + QUIET.atMostMs;
    for (let before = trees.cpuSeconds(), isQuiet = false; !isQuiet && performance.now() < endsAt;) {
      await sleep(QUIET.lookEveryMs);
      const now = trees.cpuSeconds();
      isQuiet = now - before < QUIET.cpuSeconds;
      before = now;
    }
    trees.pause(CLI);
  }

  private async measured(contestant: Contestant, clients: number, ms: number): Promise<Counted> {
    const { trees, isSlow } = contestant;
    trees.goOn(CLI);
    // While the others had their turns, what it had in the caches of the CPU was lost.
    if (!isSlow) await this.slice(contestant, clients, ms / 2);
    const before = trees.cpuSeconds();
    let peakMb = 0;
    const look = () => (peakMb = Math.max(peakMb, trees.memoryMb()));
    const looking = setInterval(look, LOOK_EVERY_MS[isSlow ? 'slow' : 'others']);
    const slice = await this.slice(contestant, clients, ms).finally(() => clearInterval(looking));
    // What is done after the last answer is part of what it cost.
    await this.pause(contestant);
    const cpuSeconds = trees.cpuSeconds() - before;
    look();
    return { ...slice, cpuSeconds, peakMb };
  }
}

function rotated<T>(all: T[], by: number): T[] {
  const first = by % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

const clientsOf = ({ mostClients = Infinity }: Contestant, clients: number) => Math.min(clients, mostClients);

function added(sum: Counted | undefined, more: Counted): Counted {
  if (!sum) return more;
  return {
    samples: [...sum.samples, ...more.samples],
    seconds: sum.seconds + more.seconds,
    cpuSeconds: sum.cpuSeconds + more.cpuSeconds,
    peakMb: Math.max(sum.peakMb, more.peakMb),
  };
}

function summed({ samples, seconds, cpuSeconds, peakMb }: Counted): object {
  return {
    ...{ per_second: samples.length / seconds, cpu_ms: (cpuSeconds * 1000) / samples.length },
    ...{ peak_mb: peakMb, ...told(samples) },
  };
}

function told(samples: Sample[]): object {
  const { samples: count, p50, p95, p99 } = percentiles(samples.map(([ms]) => ms));
  const first = samples.flatMap(([, each]) => (each === null ? [] : [each]));
  return { samples: count, p50, p95, p99, first_p50: first.length > 0 ? percentiles(first).p50 : null };
}
