import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import type { Artifact } from './artifact.js';
import type { ArtifactStore } from './artifact-store.js';

/** The same artifacts give the same bytes, whenever they are asked for. */
const MTIME = new Date('2000-01-01T00:00:00Z');
/** Fast: the archive is made while the client waits, on threads that all requests share. */
const COMPRESSION_LEVEL = 1;

/** A ZIP of artifacts, made while it is sent: at any time it has one file open and a few buffers filled. */
export class ArtifactArchive {
  private current: Readable | undefined;
  private ended = false;

  constructor(
    private readonly artifacts: Artifact[],
    private readonly store: ArtifactStore,
  ) {}

  /** Settles when all is sent, or when the reader went away or a file failed: then nothing is left open. */
  async sendTo(target: Writable): Promise<void> {
    const zip = new ZipFile();
    const output = zip.outputStream as Readable;
    zip.on('error', (error: Error) => output.destroy(error));
    for (const { path, sizeBytes, blob } of this.artifacts) {
      const options = {
        ...{ size: sizeBytes, mtime: MTIME, mode: 0o100_644 },
        ...{ compressionLevel: COMPRESSION_LEVEL, forceDosTimestamp: false },
      };
      zip.addReadStreamLazy(path, options, (give) => void this.read(blob, give));
    }
    zip.end();
    try {
      await pipeline(output, target);
    } finally {
      this.ended = true;
      this.current?.destroy();
    }
  }

  private async read(blob: string, give: (error: unknown, stream: Readable) => void): Promise<void> {
    const none = undefined as unknown as Readable;
    try {
      const file = await this.store.open(blob);
      if (!file) return give(new Error('an artifact vanished while it was archived'), none);
      const stream = file.createReadStream();
      // Until here nobody could destroy it.
      if (this.ended) stream.destroy();
      this.current = stream.on('error', (error) => give(error, none));
      give(null, stream);
    } catch (error) {
      give(error, none);
    }
  }
}
