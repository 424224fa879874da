import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel counts in, for everybody who asks. */
const TICKS_PER_SECOND = 100;

interface Seen {
  pid: number;
  parent: number;
  name: string;
  cpuSeconds: number;
}

/** Some processes and all that they started, or these `only`. */
export class ProcessTrees {
  constructor(
    private readonly roots: number[],
    private readonly options: { only?: boolean } = {},
  ) {}

  /** CPU time that they and their ended children have taken so far. */
  cpuSeconds(): number {
    return this.members().reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }

  /** Megabytes, each page that several share divided among them. */
  memoryMb(): number {
    return this.members().reduce((sum, { pid }) => sum + memoryKb(pid), 0) / 1024;
  }

  count(): number {
    return this.members().length;
  }

  /** Open file descriptors. */
  files(): number {
    const of = (pid: number) => attempt(() => readdirSync(`/proc/${pid}/fd`).length, 0);
    return this.members().reduce((sum, { pid }) => sum + of(pid), 0);
  }

  /** Those of this name do nothing until they are told to go on. */
  pause(name: string): void {
    this.signal(name, 'SIGSTOP');
  }

  goOn(name: string): void {
    this.signal(name, 'SIGCONT');
  }

  private signal(wanted: string, signal: NodeJS.Signals): void {
    for (const { pid, name } of this.members()) {
      if (name === wanted) attempt(() => process.kill(pid, signal), false);
    }
  }

  private members(): Seen[] {
    const all = seenProcesses();
    const tree = all.filter(({ pid }) => this.roots.includes(pid));
    if (this.options.only) return tree;
    for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
    return tree;
  }
}

function seenProcesses(): Seen[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) =>
      attempt(() => {
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
        const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        // user, system, and both of the children that were waited for
        const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
        const cpuSeconds = ticks / TICKS_PER_SECOND;
        return [{ pid: Number(entry), parent: Number(fields[1]), name, cpuSeconds }];
      }, []),
    );
}

function memoryKb(pid: number): number {
  const kb = (file: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]);
  const shared = attempt(() => kb('smaps_rollup', 'Pss'), Number.NaN);
  // Who may not look into a process of another account is told less.
  return shared || attempt(() => kb('status', 'VmRSS'), 0) || 0;
}

/** Processes end while they are looked at. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
