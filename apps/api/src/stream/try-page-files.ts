import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';

/** Beside this file, in the sources as in dist/. */
const FOLDER = join(import.meta.dirname, 'page');
const MEDIA_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface PageFile {
  content: Buffer;
  mediaType: string;
  etag: string;
}

/** What the page at /docs/try is made of, read once: a request finds a file in memory or not at all. */
@Injectable()
export class TryPageFiles implements OnModuleInit {
  private readonly files = new Map<string, PageFile>();

  async onModuleInit(): Promise<void> {
    for (const name of await readdir(FOLDER)) {
      const mediaType = MEDIA_TYPES[extname(name)];
      if (!mediaType) continue;
      const content = await readFile(join(FOLDER, name));
      const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
      this.files.set(name, { content, mediaType, etag });
    }
  }

  find(name: string): PageFile | undefined {
    return this.files.get(name);
  }
}
