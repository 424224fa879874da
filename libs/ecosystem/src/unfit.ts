/** Why a file of the operator's folder is left out, in words that go on after its name: `has no description`. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

/** The same for whatever went wrong: one bad file never costs more than itself. */
export function problemOf(error: unknown): string {
  if (error instanceof Unfit) return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ELOOP') return 'is a link';
  return code ? `cannot be used (${code})` : 'cannot be understood';
}
