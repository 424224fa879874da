import { crc32 } from 'node:zlib';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A key's text up to its checksum, with the right one behind it. */
export function withChecksum(body: string): string {
  let checksum = '';
  for (let rest = crc32(body); checksum.length < 6; rest = Math.floor(rest / 62)) {
    checksum = DIGITS[rest % 62] + checksum;
  }
  return body + checksum;
}
