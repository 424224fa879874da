import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SeenProcess {
  /** Pid and start time: a pid that is used again is another process. */
  name: string;
  pid: number;
  parent: number;
  command: string;
  zombie: boolean;
}

/** All processes of the machine that can be read. */
export function processes(): SeenProcess[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const [state, parent] = [fields[0], Number(fields[1])];
        return [
          { name: `${entry}-${fields[19]}`, pid: Number(entry), parent, command, zombie: state === 'Z' },
        ];
      } catch {
        return [];
      }
    });
}

/** The process, what it started, and what those did, in boxes too. */
export function treeOf(pid: number): SeenProcess[] {
  const all = processes();
  const tree = all.filter((each) => each.pid === pid);
  for (const member of tree) tree.push(...all.filter(({ parent }) => parent === member.pid));
  return tree;
}

/** Which of these still run. */
export function alive(seen: SeenProcess[]): SeenProcess[] {
  const now = new Set(
    processes()
      .filter(({ zombie }) => !zombie)
      .map(({ name }) => name),
  );
  return seen.filter(({ name }) => now.has(name));
}

/** Waits until none of them runs; returns those that still do. */
export async function gone(seen: SeenProcess[], withinMs: number): Promise<SeenProcess[]> {
  for (const end = Date.now() + withinMs; Date.now() < end && alive(seen).length > 0;) await sleep(20);
  return alive(seen);
}

/** Processes of the Claude Code CLI itself that this process started, in boxes or not. */
export function cliProcesses(pid: number): SeenProcess[] {
  return treeOf(pid).filter(({ command }) =>
    /^(\/opt\/claude|\S*claude-agent-sdk\S*)\/claude /.test(command),
  );
}
