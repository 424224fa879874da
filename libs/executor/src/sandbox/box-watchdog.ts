import { setTimeout as sleep } from 'node:timers/promises';
import { diskBytes } from './box-disk.js';
import { memoryAtMost, memoryExactly } from './box-memory.js';
import { BoxProcesses } from './box-processes.js';
import type { BoxSpec, SandboxedProcess } from './sandbox.js';

const MEMORY_EVERY_MS = 250;
const DISK_EVERY_MS = 1000;
/** So much more than the limit that nobody waits for the exact figure. */
const BEYOND_DOUBT = 4;

/**
 * Ends a box that takes more memory or disk than it may, and says which. It looks now and then: a box can be
 * over its limit for a quarter of a second, and its workspace for a second or so.
 */
export class BoxWatchdog {
  private root: string | undefined;

  private readonly processes: BoxProcesses;

  constructor(
    private readonly child: SandboxedProcess,
    private readonly box: Pick<BoxSpec, 'limits' | 'workspace'>,
  ) {
    this.processes = new BoxProcesses(child, (pid) => this.watch(`/proc/${pid}/root`));
  }

  kill(): void {
    this.processes.kill();
  }

  /** 0 = it cannot be seen. */
  memoryBytes(): number {
    return this.root ? memoryAtMost(this.root) : 0;
  }

  private watch(root: string): void {
    this.root = root;
    void this.repeat(MEMORY_EVERY_MS, async () => {
      if (await this.isOverMemory(root)) this.end('memory');
    });
    const { workspace } = this.box;
    if (!workspace?.writable) return;
    void this.repeat(DISK_EVERY_MS, async () => {
      if ((await diskBytes(workspace.dir, root)) > workspace.quotaBytes) this.end('disk');
    });
  }

  private async isOverMemory(root: string): Promise<boolean> {
    const { memoryBytes } = this.box.limits;
    const atMost = memoryAtMost(root);
    if (atMost <= memoryBytes) return false;
    return atMost > memoryBytes * BEYOND_DOUBT || (await memoryExactly(root, memoryBytes)) > memoryBytes;
  }

  private async repeat(everyMs: number, look: () => Promise<void>): Promise<void> {
    while (this.processes.isAlive) {
      await look().catch(() => undefined);
      await sleep(everyMs, undefined, { ref: false });
    }
  }

  private end(exceeded: 'memory' | 'disk'): void {
    if (!this.processes.isAlive) return;
    this.child.exceeded ??= exceeded;
    this.kill();
  }
}
