import 'reflect-metadata';
import { execute } from './command-line.js';
import { Terminal } from './terminal.js';

/** Runs one command line (without node and script) and leaves its exit code in `process.exitCode`. */
export async function run(argv: string[]): Promise<void> {
  // The reader of a pipe may leave early (`| head`): nobody is left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await execute(argv, new Terminal(process.stdout, process.stderr));
}
