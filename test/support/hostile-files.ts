import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);

export async function makeFifo(path: string): Promise<void> {
  await run('mkfifo', [path]);
}

/** Root only. */
export async function makeDevice(path: string): Promise<void> {
  await run('mknod', [path, 'c', '1', '5']);
}

export async function makeSocket(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  return server;
}

/** Folders in folders; their path is too long for any call that takes one. */
export async function makeDeep(parent: string, levels: number): Promise<void> {
  await script(
    `for (let level = 0; level < ${levels}; level++) { fs.mkdirSync('d'.repeat(9)); process.chdir('d'.repeat(9)); }
     fs.writeFileSync('bottom.txt', 'x'.repeat(10000));`,
    parent,
  );
}

export async function makeMany(folder: string, count: number, prefix = 'f'): Promise<void> {
  await script(
    `for (let index = 0; index < ${count}; index++) fs.closeSync(fs.openSync('${prefix}' + index, 'w'));`,
    folder,
  );
}

async function script(source: string, cwd: string): Promise<void> {
  await run(process.execPath, ['-e', `const fs = require('node:fs'); ${source}`], { cwd });
}

/** Swaps a folder and a link of the same name for each other, as fast as it can, until it is told to stop. */
export async function startSwapping(
  folder: string,
  name: string,
  target: string,
): Promise<() => Promise<void>> {
  const source = `const fs = require('node:fs');
    fs.mkdirSync('real', { recursive: true }); fs.symlinkSync(${JSON.stringify(target)}, 'link');
    console.log('swapping');
    for (;;) for (const [from, to] of [['real', '${name}'], ['${name}', 'real'], ['link', '${name}'], ['${name}', 'link']])
      try { fs.renameSync(from, to); } catch {}`;
  const child = spawn(process.execPath, ['-e', source], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
}
