import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What README and docs tell a reader to type is typed here, against `serve --demo` in a home of its own.
 * A bash block says above itself `<!-- run: demo -->`, or `<!-- skip: reason -->`; what must be seen stands below
 * it as `<!-- expect: text -->`, an exit code other than 0 as `<!-- exit: 1 -->`.
 */
interface Block {
  place: string;
  mark: string;
  script: string;
  expected: string[];
  exit: number;
}

const repository = resolve(import.meta.dirname, '../..');
const FILES = ['README.md', ...globSync('docs/**/*.md', { cwd: repository })].toSorted();
const BLOCK =
  /(?:<!-- (?<mark>(?:run|skip): .+?) -->\n\s*)?^(?<indent> *)```bash\n(?<script>[^]*?)\n *```\n(?<after>(?:\s*<!-- (?:expect|exit): .+ -->\n)*)/gm;

function blocksOf(file: string): Block[] {
  const text = readFileSync(join(repository, file), 'utf8');
  return [...text.matchAll(BLOCK)].map(({ index, groups = {} }) => {
    const { mark = 'none', indent = '', script = '', after = '' } = groups;
    const notes = [...after.matchAll(/<!-- (expect|exit): (.+) -->/g)];
    return {
      place: `${file}:${text.slice(0, index).split('\n').length}`,
      mark,
      script: script.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      expected: notes.filter(([, kind]) => kind === 'expect').map(([, , value]) => value ?? ''),
      exit: Number(notes.find(([, kind]) => kind === 'exit')?.[2] ?? 0),
    };
  });
}

const blocks = FILES.flatMap(blocksOf);
const runnable = blocks.filter(({ mark }) => mark === 'run: demo');

/** `serve --demo`, started as a reader would, and the environment of a second terminal beside it. */
class Demo {
  private output = '';

  private constructor(
    private readonly server: ChildProcess,
    private readonly home: string,
    private readonly port: number,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  static async start(): Promise<Demo> {
    const home = mkdtempSync(join(tmpdir(), 'docs-'));
    const port = await freePort();
    const environment: NodeJS.ProcessEnv = {
      PATH: `${join(repository, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
      HOME: home,
      CLAUDE_API_HOME: join(home, '.claude-api'),
      PORT: String(port),
    };
    const server = spawn(process.execPath, ['bin/claude-api.cjs', 'serve', '--demo'], {
      cwd: repository,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const demo = new Demo(server, home, port, environment);
    for (const stream of [server.stdout, server.stderr])
      stream.on('data', (chunk: Buffer) => (demo.output += chunk.toString()));
    try {
      await demo.ready();
    } catch (error) {
      await demo.stop();
      throw error;
    }
    return demo;
  }

  private async ready(): Promise<void> {
    const giveUpAt = performance.now() + 90_000;
    while (performance.now() < giveUpAt && this.server.exitCode === null) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/ready`).catch(() => undefined);
      this.environment.CLAUDE_API_KEY = /cc_sk_[A-Za-z0-9_-]{40,}/.exec(this.output)?.[0];
      if (answer?.status === 200 && this.environment.CLAUDE_API_KEY) return;
      await sleep(100);
    }
    throw new Error(`serve --demo did not get ready and print a key:\n${this.output}`);
  }

  run(script: string): Promise<{ exit: number | null; output: string }> {
    const here = script
      .replaceAll('http://localhost:8006', `http://127.0.0.1:${this.port}`)
      .replaceAll('cc_sk_…', this.environment.CLAUDE_API_KEY ?? '');
    return new Promise((done) => {
      const child = execFile(
        'bash',
        ['-euo', 'pipefail', '-c', here],
        { cwd: repository, env: this.environment, timeout: 60_000 },
        (_, stdout, stderr) => done({ exit: child.exitCode, output: stdout + stderr }),
      );
    });
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.server.once('exit', done));
    if (this.server.exitCode === null && this.server.kill('SIGINT')) await ended;
    rmSync(this.home, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}

describe('README and docs', () => {
  it('say for every bash block how it is run, or why it is not', () => {
    const unmarked = blocks.filter(({ mark }) => mark !== 'run: demo' && !mark.startsWith('skip: '));
    expect(unmarked.map(({ place }) => place)).toEqual([]);
    expect(runnable.length).toBeGreaterThan(10);
  });

  it('link only to files and headings that exist', () => {
    const broken = FILES.concat('CONTRIBUTING.md', 'CHANGELOG.md').flatMap((file) => {
      const text = readFileSync(join(repository, file), 'utf8');
      return [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)]
        .filter(([, path = '', heading]) => !exists(join(repository, file, '..', path || file), heading))
        .map(([link]) => `${file}: ${link}`);
    });
    expect(broken).toEqual([]);
  });
});

/** The heading as its GitHub anchor: lower case, without punctuation, spaces as hyphens. */
function exists(path: string, heading?: string): boolean {
  try {
    const text = readFileSync(path, 'utf8');
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} -]/gu, '')
        .replaceAll(' ', '-'),
    );
    return heading === undefined || anchors.includes(heading);
  } catch {
    return false;
  }
}

describe('what README and docs tell to type', () => {
  let demo: Demo;
  beforeAll(async () => (demo = await Demo.start()), 120_000);
  afterAll(() => demo?.stop(), 60_000);

  it.each(runnable.map((block) => [block.place, block] as const))(
    'works: %s',
    async (_, { script, expected, exit }) => {
      const ended = await demo.run(script);
      for (const text of expected) expect(ended.output).toContain(text);
      expect({ exit: ended.exit, output: ended.output }).toEqual({ exit, output: expect.any(String) });
    },
    90_000,
  );
});
