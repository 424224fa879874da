import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { writeDemoConfig } from '../../apps/api/src/demo/demo-sample.js';
import { CLOSE } from '../../apps/api/src/stream/close-codes.js';
import { StreamClient } from '../support/stream-client.js';
import { SUBTASK, turns, uses } from '../support/scripted-turns.js';
import { startTestService, type TestService } from '../support/test-service.js';

/**
 * The page of the wire is one conversation: what stands there under `<!-- frames: client -->` is sent, and what
 * stands under `<!-- frames: server -->` must come before the next frame is sent.
 */
const repository = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const PAGE = read('docs/api-reference/websocket.md');
const BLOCK = /(?:<!-- frames: (?<side>client|server) -->\n\n)?^```jsonl?\n(?<frames>[^]*?)\n```$/gm;

interface Documented {
  place: string;
  side: string;
  frame: any;
}

const documented: Documented[] = [...PAGE.matchAll(BLOCK)].flatMap(({ index, groups = {} }) => {
  const line = PAGE.slice(0, index).split('\n').length;
  return groups
    .frames!.split('\n')
    .map((text) => ({ place: `line ${line}`, side: groups.side ?? 'unmarked', frame: JSON.parse(text) }));
});

/** What is as it is on every run: all but numbers, times and ids. */
const lasting = (frame: unknown): unknown =>
  JSON.parse(
    JSON.stringify(frame, (_, value) => (typeof value === 'number' ? 0 : value))
      .replaceAll(/\b(task|run|req|art|toolu)_[0-9a-f]+/g, '$1_…')
      // Whichever comes first tells of a call: what the model said, or what the CLI made of it.
      .replaceAll('"/workspace/', '"')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'a time'),
  );

const AUDIT = turns(
  [
    {
      thinking: 'First I read it.',
      text: 'I look at app.py.',
      chunks: 1,
      tools: [{ name: 'Read', input: { file_path: 'app.py' } }],
    },
    uses('Skill', { skill: 'changelog', args: 'the login' }),
    uses('Agent', {
      ...{ description: 'look for secrets', subagent_type: 'security-auditor' },
      prompt: `${SUBTASK} look`,
    }),
    uses('Bash', { command: 'id' }),
    uses('Write', { file_path: 'report.md', content: 'A password stands in app.py.\n' }),
    { text: 'A password stands in app.py.', chunks: 1 },
  ],
  [{ text: 'A password stands in line 1.' }],
);

function playThePage(service: TestService): void {
  let overloaded = 1;
  service.model.script = (request) => {
    const said = JSON.stringify(request.body.messages);
    if (said.includes('What is my name')) return { text: 'Ada', chunks: 1 };
    if (said.includes('long story')) return { text: 'Once'.repeat(500), chunks: 500, chunkDelayMs: 200 };
    if (said.includes('Watch the log')) return { hang: true };
    if (!said.includes('mutex')) return AUDIT(request);
    if (overloaded-- > 0) return { status: 529, retryAfter: 0 };
    return { text: 'A lock that one may hold', chunks: 2, chunkDelayMs: 20 };
  };
}

jest.setTimeout(120_000);

describe('the page of the wire', () => {
  let config: string;
  let service: TestService;
  let client: StreamClient;
  beforeAll(async () => {
    config = await mkdtemp(join(tmpdir(), 'wire-docs-'));
    await writeDemoConfig(config);
    service = await startTestService({ CLAUDE_CONFIG_DIR: config });
    playThePage(service);
    client = await StreamClient.open(service.url);
  });
  afterAll(async () => {
    client?.close();
    await service?.stop();
    await rm(config, { recursive: true });
  });

  it('says of every frame whose it is', () => {
    expect(documented.filter(({ side }) => side === 'unmarked')).toEqual([]);
    expect(documented.length).toBeGreaterThan(30);
  });

  it('is what the service says to what the page sends, in this order', async () => {
    const { key } = await service.key('enterprise', 'my-app');
    let seen = 0;
    for (const { side, frame, place } of documented) {
      if (side === 'client') {
        const task = client.frames.findLast(({ task_id: id }) => id)?.task_id;
        const real = JSON.stringify(frame).replaceAll('cc_sk_…', key);
        client.send(JSON.parse(real.replaceAll(/task_[0-9a-f]{32}/g, task)));
        continue;
      }
      const like = lasting(frame);
      const isIt = (told: any) =>
        client.frames.indexOf(told) >= seen && isDeepStrictEqual(lasting(told), like);
      const found = await client.until(isIt, 30_000).catch(() => undefined);
      // Told by what came of this type instead.
      if (!found)
        expect({
          place,
          came: client.frames
            .slice(seen)
            .filter(({ type }) => type === frame.type)
            .map(lasting),
        }).toEqual({
          place,
          came: [like],
        });
      seen = client.frames.indexOf(found) + 1;
    }
  });

  it('shows every type of frame that there is', async () => {
    const shown = (side: string) =>
      new Set(documented.filter((each) => each.side === side).map(({ frame }) => frame.type));
    client.send({ type: '?' });
    const { error } = await client.until((told) => told.error?.message?.startsWith('type must be'));
    const accepted = error.message.replace('type must be one of ', '').split(', ');
    const wrong = documented.filter(({ side }) => side === 'client').map(({ frame }) => frame.type);
    expect(accepted.length).toBeGreaterThan(5);
    expect(accepted.filter((type: string) => !wrong.includes(type))).toEqual([]);

    const unions = read('libs/tasks/src/task-event.ts') + read('libs/completions/src/completion-events.ts');
    const told = [
      ...[...unions.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, type]) => type),
      ...[...unions.matchAll(/^ {2}\| \{ type: ([^;]+);/gm)].flatMap(
        ([, types = '']) => types.match(/\w+/g) ?? [],
      ),
      ...globSync('apps/api/src/stream/*.ts', { cwd: repository }).flatMap((file) =>
        [...read(file).matchAll(/\btype: '(\w+)'/g)].map(([, type]) => type),
      ),
    ];
    expect(new Set(told)).toEqual(shown('server'));
  });

  it('has every close code in its table, and no other', () => {
    const listed = [...PAGE.matchAll(/^\| (\d{4}) /gm)].map(([, code]) => Number(code));
    // What ws itself closes with for a frame that is too long.
    expect(listed).toEqual([...Object.values(CLOSE), 1009].toSorted((a, b) => a - b));
  });
});
