import { type BigIntStats, constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, opendir, rename, rmdir, unlink } from 'node:fs/promises';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Node does not name it: a handle on something that we may not open, good for its name in /proc alone. */
const O_PATH = 0o10_000_000;
const IS_LINUX = process.platform === 'linux';
const BATCH = 64;

/** A file name as the disk has it; a Buffer where it need not be text. */
export type EntryName = string | Buffer;

/**
 * A folder that was opened once and is meant from then on, whatever is renamed or linked into its path. What
 * lies in it is reached from the open folder by one name at a time, and a name that is a link is never
 * followed, so nobody who can write in the folder can lead a reader or writer out of it. (Linux; elsewhere,
 * where nothing hostile runs, by path.)
 */
export class FolderHandle {
  private constructor(
    private readonly handle: FileHandle,
    private readonly path: Buffer,
  ) {}

  /** Fails with ENOTDIR or ELOOP for what is not a folder itself. */
  static async open(path: EntryName): Promise<FolderHandle> {
    const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    return new FolderHandle(handle, IS_LINUX ? Buffer.from(`/proc/self/fd/${handle.fd}`) : bytes(path));
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  /** The folder of this name. One that its owner closed to itself is opened up: it cannot hide what it holds. */
  async folder(name: EntryName): Promise<FolderHandle> {
    try {
      return await FolderHandle.open(this.at(name));
    } catch (error) {
      if (codeOf(error) !== 'EACCES') throw error;
      await this.unlock(name);
      return FolderHandle.open(this.at(name));
    }
  }

  async makeFolder(name: EntryName, mode: number): Promise<void> {
    await mkdir(this.at(name), mode);
  }

  /** The names in it, some at a time, in no order. */
  async *names(): AsyncGenerator<Buffer[]> {
    // The types know text only; with this encoding names are bytes.
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: BATCH };
    let batch: Buffer[] = [];
    for await (const entry of await opendir(this.path as unknown as string, options)) {
      batch.push(entry.name as unknown as Buffer);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  /** Of the name itself, also when it is a link. */
  async stat(name: EntryName): Promise<BigIntStats> {
    return lstat(this.at(name), { bigint: true });
  }

  /** For reading; undefined when the name is no regular file (any more). Never waits for a FIFO's other end. */
  async read(name: EntryName): Promise<FileHandle | undefined> {
    const file = await open(this.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  }

  /** A new file; fails with EEXIST when there is anything of that name. */
  async create(name: EntryName, content: Buffer): Promise<void> {
    const file = await open(this.at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  }

  async unlink(name: EntryName): Promise<void> {
    await unlink(this.at(name));
  }

  async removeFolder(name: EntryName): Promise<void> {
    await rmdir(this.at(name));
  }

  async moveTo(name: EntryName, target: FolderHandle, targetName: EntryName): Promise<void> {
    await rename(this.at(name), target.at(targetName));
  }

  /** Gives the owner all rights on the folder of this name. */
  async unlock(name: EntryName): Promise<void> {
    if (!IS_LINUX) return chmod(this.at(name), 0o700);
    const handle = await open(this.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    try {
      await chmod(`/proc/self/fd/${handle.fd}`, 0o700);
    } finally {
      await handle.close();
    }
  }

  private at(name: EntryName): Buffer {
    return Buffer.concat([this.path, Buffer.from('/'), bytes(name)]);
  }
}

const bytes = (name: EntryName) => (typeof name === 'string' ? Buffer.from(name) : name);

/** `ENOENT` and the like. */
export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
