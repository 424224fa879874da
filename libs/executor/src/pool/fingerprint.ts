import { createHash } from 'node:crypto';

/** One for everything that is fixed when a process starts; the order of the fields counts. */
export function fingerprintOf(fixed: object): string {
  return createHash('sha256').update(JSON.stringify(fixed)).digest('hex');
}
