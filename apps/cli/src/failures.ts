/** The command line itself is wrong: exit code 2, and the hint at `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A verb that did not succeed, for a reason that is told in one line. `envelope`: the server's own answer. */
export class VerbFailure extends Error {
  override readonly name = 'VerbFailure';

  constructor(
    message: string,
    readonly code = 'failed',
    readonly envelope?: object,
  ) {
    super(message);
  }
}

/** A failure that may pass by itself: a server that is away, restarting or too busy. */
export class PassingFailure extends VerbFailure {}
