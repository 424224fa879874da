import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Unfit } from './unfit.js';

// Never follows a link, and does not wait for the other end of a FIFO.
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The content of a regular file that has at most so many bytes. Throws `Unfit` for anything else. */
export async function readRegularFile(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, FLAGS);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Unfit('is not a regular file');
    if (found.size > mostBytes) throw new Unfit(`is larger than ${mostBytes} bytes`);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(found.size), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The same as text, without a byte order mark and with plain line ends. */
export async function readText(path: string, mostBytes: number): Promise<string> {
  const content = await readRegularFile(path, mostBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content).replaceAll('\r\n', '\n');
  } catch {
    throw new Unfit('is not UTF-8');
  }
}
