import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { cleanUp, ServerProcess } from '../support/server-process.js';

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

/** Types a block into a second terminal beside the demo. */
function type(script: string, demo: ServerProcess): Promise<{ exit: number | null; output: string }> {
  const key = /cc_sk_\w+/.exec(demo.output)?.[0] ?? '';
  const here = script.replaceAll('localhost:8006', new URL(demo.url).host).replaceAll('cc_sk_…', key);
  const env = {
    ...demo.env,
    PATH: `${join(repository, 'node_modules/.bin')}${delimiter}${demo.env.PATH}`,
    CLAUDE_API_KEY: key,
  };
  return new Promise((done) => {
    const child = execFile(
      'bash',
      ['-euo', 'pipefail', '-c', here],
      { cwd: repository, env, timeout: 60_000 },
      (_, stdout, stderr) => done({ exit: child.exitCode, output: stdout + stderr }),
    );
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
  let home: string;
  let demo: ServerProcess;
  beforeAll(async () => {
    home = await ServerProcess.temporaryHome();
    demo = await ServerProcess.start(home, {}, ['--demo']);
  }, 120_000);
  afterAll(() => cleanUp(home, [demo]), 60_000);

  it.each(runnable.map((block) => [block.place, block] as const))(
    'works: %s',
    async (_, { script, expected, exit }) => {
      const ended = await type(script, demo);
      for (const text of expected) expect(ended.output).toContain(text);
      expect({ exit: ended.exit, output: ended.output }).toEqual({ exit, output: expect.any(String) });
    },
    90_000,
  );
});
