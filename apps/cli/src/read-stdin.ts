import { UsageError } from './failures.js';

/** All that comes in by stdin, as text. */
export async function readStdin(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

/** The argument itself; left out or "-": what comes in by stdin. */
export async function argumentOrStdin(name: string, argument: string | undefined): Promise<string> {
  if (argument !== undefined && argument !== '-') return argument;
  if (argument === undefined && process.stdin.isTTY) throw new UsageError(`the ${name} is missing`);
  return readStdin();
}
