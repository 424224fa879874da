import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskBytes } from './box-disk.js';
import { memoryAtMost, memoryExactly } from './box-memory.js';
import { BOX_PROGRAM } from './box-places.js';
import { BoxProcesses } from './box-processes.js';
import type { BoxSpec, SandboxedProcess } from './sandbox.js';

/** A box in which somebody's tools run can fill the memory at once; the CLI alone cannot, once it has started. */
const MEMORY_EVERY_MS = { tools: 250, text: 2_000 };
const STARTS_WITHIN_MS = 2_000;
const DISK_EVERY_MS = 1000;
/** So much more than the limit that nobody waits for the exact figure. */
const BEYOND_DOUBT = 4;
/** A box that cannot be seen for so long is not left alone with the machine. */
const LONGEST_BLIND_MS = 10_000;
const HOST_DEVICE = statSync('/').dev;

/**
 * Ends a box that takes more memory or disk than it may, and says which. It looks now and then: a box can be
 * over its limit for a quarter of a second (without tools, for two), and its workspace for a second or so.
 */
export class BoxWatchdog {
  private root: string | undefined;
  /** Names the box's own file system: a process id may be used again while we have not heard of the end. */
  private device: number | undefined;
  private stopped = false;
  private seenBytes = 0;
  private readonly startedAt = performance.now();
  private readonly processes: BoxProcesses;

  constructor(
    private readonly child: SandboxedProcess,
    private readonly box: Pick<BoxSpec, 'limits' | 'workspace'>,
  ) {
    this.processes = new BoxProcesses(child, (pid) => this.watch(`/proc/${pid}/root`));
  }

  /** What is seen from now on says nothing about the box any more. */
  kill(): void {
    this.stopped = true;
    this.processes.kill();
  }

  /** What it took when it was last looked at. 0 = it cannot be seen. */
  memoryBytes(): number {
    if (!this.isWatched) return 0;
    try {
      if (this.seenBytes === 0 && this.root && this.sees()) this.seenBytes = memoryAtMost(this.root);
    } catch {
      // It is ending at this moment.
    }
    return this.seenBytes;
  }

  private watch(root: string): void {
    this.root = root;
    const { workspace } = this.box;
    const isStarting = () => performance.now() < this.startedAt + STARTS_WITHIN_MS;
    const memoryEvery = () => MEMORY_EVERY_MS[workspace || isStarting() ? 'tools' : 'text'];
    void this.repeat(memoryEvery, async () => {
      if (await this.isOverMemory(root)) this.end('memory');
    });
    if (!workspace?.writable) return;
    void this.repeat(
      () => DISK_EVERY_MS,
      async () => {
        if ((await diskBytes(workspace.dir, root)) > workspace.quotaBytes) this.end('disk');
      },
    );
  }

  private async isOverMemory(root: string): Promise<boolean> {
    const { memoryBytes } = this.box.limits;
    const atMost = memoryAtMost(root);
    this.seenBytes = atMost;
    if (atMost <= memoryBytes) return false;
    return atMost > memoryBytes * BEYOND_DOUBT || (await memoryExactly(root, memoryBytes)) > memoryBytes;
  }

  private async repeat(everyMs: () => number, look: () => Promise<void>): Promise<void> {
    let seenAt = performance.now();
    while (this.isWatched) {
      try {
        if (this.sees()) {
          await look();
          seenAt = performance.now();
        }
      } catch {
        // It may be ending at this moment: the next look tells.
      }
      if (performance.now() - seenAt > LONGEST_BLIND_MS) return this.end('memory');
      await sleep(everyMs(), undefined, { ref: false });
    }
  }

  /** Before the box has its own root, and after its end, something else is to be seen where it was. */
  private sees(): boolean {
    const device = statSync(`${this.root}/`, { throwIfNoEntry: false })?.dev;
    if (device === undefined || device === HOST_DEVICE) return false;
    if (!existsSync(`${this.root}${BOX_PROGRAM}`)) return false;
    this.device ??= device;
    return device === this.device;
  }

  private get isWatched(): boolean {
    return !this.stopped && this.processes.isAlive;
  }

  private end(exceeded: 'memory' | 'disk'): void {
    if (!this.isWatched) return;
    this.child.exceeded ??= exceeded;
    this.kill();
  }
}
