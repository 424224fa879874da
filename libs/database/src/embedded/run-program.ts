import { spawn } from 'node:child_process';
import { childEnvironment } from '@app/config';
import type { Account } from './account.js';

interface Finished {
  code: number | null;
  output: string;
}

/**
 * Runs one of PostgreSQL's programs to its exit. Detached, so that Ctrl-C in our terminal does not reach it,
 * and it waits for `exit`, not `close`: the server that `pg_ctl` leaves behind may keep our pipes open.
 */
export function runProgram(
  program: string,
  args: string[],
  at: { folder: string; account?: Account },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: at.folder,
      env: { ...childEnvironment(), LC_ALL: 'C' },
      detached: true,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...at.account,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', reject);
    child.once('exit', (code) => {
      // What the program wrote last may still be on its way through the pipe.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, output: output.trim() });
      }, 10);
    });
  });
}
