import type { Terminal } from './terminal.js';

/** What a shell expects of a process that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * For as long as `work` runs: the first Ctrl-C (or SIGTERM) fires its signal, settles the exit code and leaves the
 * rest to it; the second one ends the process at once. What fails after a signal is no error any more.
 */
export async function interruptible<T>(
  terminal: Terminal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stopped = new AbortController();
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    if (stopped.signal.aborted) process.exit(EXIT_CODES[signal]);
    terminal.exitCode = EXIT_CODES[signal];
    stopped.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await work(stopped.signal);
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    return undefined;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
