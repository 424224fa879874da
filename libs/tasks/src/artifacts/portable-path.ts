const MAX_PATH_BYTES = 1024;
/** Control characters, halves of pairs, line separators, and what turns the writing direction and so hides an ending. */
const UNSEEN = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

/**
 * Whether a path can be offered as it is in an address, a header and an archive: relative, of plain steps, in
 * characters that can be seen, and no drive or separator of another system.
 */
export function isPortablePath(path: string): boolean {
  if (path.length === 0 || Buffer.byteLength(path) > MAX_PATH_BYTES) return false;
  if (UNSEEN.test(path) || path.includes('\\') || /^[a-z]:/i.test(path)) return false;
  return path.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
}
