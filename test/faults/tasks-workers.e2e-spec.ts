import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alive, gone, type SeenProcess, treeOf } from '../support/processes.js';
import { plays, uses } from '../support/scripted-turns.js';
import type { ServerProcess } from '../support/server-process.js';
import { boxOf, type TaskApi, until } from '../support/task-api.js';
import { eventsOf } from '../support/test-service.js';
import { WorkerFleet } from '../support/worker-fleet.js';

jest.setTimeout(120_000);

const bash = (command: string) => uses('Bash', { command });
const SETTLED_MS = 20_000;
const STOPPED_MS = 30_000;

const PARTS = {
  spoken: [{ text: 'word '.repeat(2_000), chunks: 2_000, chunkDelayMs: 50 }],
  next: [{ text: 'My turn.' }],
  early: [{ text: 'Done in the end.' }],
  stopped: [
    { text: 'I go on.', ...bash('until [ -e go ]; do sleep 0.1; done; echo late') },
    { text: 'Too late.' },
  ],
  drained: [{ text: 'I take long.', ...bash('sleep 300') }],
  brief: [bash('sleep 3'), { text: 'Done.' }],
  held: [bash('until [ -e go ]; do sleep 0.1; done'), { text: 'Done.' }],
  short: [bash('sleep 0.5'), { text: 'Done.' }],
  told: [
    { text: 'word '.repeat(100), chunks: 100, chunkDelayMs: 40, ...bash('sleep 4') },
    { text: 'The end.' },
  ],
};

/** A task in the hands of a worker of its own. */
interface Case {
  id: string;
  box: SeenProcess[];
  worker: ServerProcess;
}

/**
 * Rows 1 to 5 of sandbox-security.md, section 5, for tasks. Five workers, four of them struck at the same moment
 * with one task in hand each: what is awaited is awaited once.
 */
describe('workers and servers that are killed, stopped and told to go', () => {
  let fleet: WorkerFleet;
  let user: TaskApi;
  let frugal: TaskApi;
  let survivor: ServerProcess;
  let struckAt: number;
  let next: string;
  let woken: Promise<boolean>;
  const cases: Record<'spoken' | 'early' | 'stopped' | 'drained', Case> = {} as never;

  beforeAll(async () => {
    fleet = await WorkerFleet.start();
    fleet.model.script = plays(PARTS);
    user = await fleet.user('enterprise', 'fleet');
    frugal = await fleet.user('free', 'frugal');
    const sleeper = join(fleet.blobDir, 'sleeper');
    await writeFile(sleeper, '#!/bin/bash\nsleep 1000\n', { mode: 0o755 });
    await give('early', user, { CLAUDE_CLI_PATH: sleeper });
    await give('stopped', user);
    await give('drained', user);
    await give('spoken', frugal);
    next = await frugal.submit({ description: 'next: answer' });
    survivor = await fleet.worker({ MAX_RUNS: '4' });
    struckAt = Date.now();
    for (const [name, signal] of [
      ['spoken', 'SIGKILL'],
      ['early', 'SIGKILL'],
      ['stopped', 'SIGSTOP'],
      ['drained', 'SIGTERM'],
    ] as const) {
      cases[name].worker.child.kill(signal);
    }
    woken = sleep(STOPPED_MS).then(() => cases.stopped.worker.child.kill('SIGCONT'));
    // Its tool ends while nobody listens.
    await writeFile(join(fleet.blobDir, 'scratch', `${cases.stopped.id}.1`, 'go'), '');
  });
  afterAll(() => fleet.stop());

  /** Only the newest worker has a free place. */
  async function give(
    name: keyof typeof cases,
    to: TaskApi,
    env: Record<string, string> = {},
  ): Promise<void> {
    const worker = await fleet.worker({ MAX_RUNS: '1', ...env });
    const id = await to.submit({ description: `${name}: now` });
    const isUnderWay = ({ run_id: run, started_at: started }: any) =>
      run !== null && (name === 'early' || started);
    const row = await until('the task is under way', () => fleet.stored(id), isUnderWay);
    const box = await until(
      'its box',
      () => boxOf(row.run_id),
      (seen) => seen.length > 3,
    );
    if (name === 'stopped' || name === 'drained') await to.atWork(id);
    cases[name] = { id, worker, box: boxOf(row.run_id).length > box.length ? boxOf(row.run_id) : box };
  }
  const sinceStruck = () => Date.now() - struckAt;
  const settledWithin = (ms: number) => Math.max(0, ms - sinceStruck());
  const scratch = async (id: string) =>
    (await readdir(join(fleet.blobDir, 'scratch'))).filter((name) => name.startsWith(id));
  /** One end, told once, as it is stored; every run of the task has ended; no number is missing. */
  async function endedOnce(api: TaskApi, id: string): Promise<{ row: any; events: any[] }> {
    const [row, events] = [await fleet.stored(id), await api.events(id)];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ type }) => type === 'result')).toEqual([events.at(-1)]);
    expect([events.at(-1).status, events.length]).toEqual([row.status, row.last_seq]);
    expect(row.runs.filter(({ outcome }: any) => outcome === null)).toEqual([]);
    const told = await fleet.rows(
      `SELECT type, count(*)::int FROM audit_events WHERE target->>'id' = $1 OR target->>'id' = $2
        GROUP BY 1 HAVING type IN ('task.ended', 'run.ended') ORDER BY 1`,
      [id, row.run_id],
    );
    expect(told).toEqual([
      { type: 'run.ended', count: 1 },
      { type: 'task.ended', count: 1 },
    ]);
    return { row, events };
  }

  /**
   * A task of another key stays at the larger worker, which keeps its last place for newcomers: it has two for one
   * key, and the smaller worker one. Says how to end that task.
   */
  async function threePlacesAtTwoWorkers(): Promise<() => Promise<void>> {
    const held = await Promise.all(
      Array.from({ length: 4 }, () => user.submit({ description: 'held: until told' })),
    );
    const end = async (ids: string[]) => {
      for (const id of ids) await writeFile(join(fleet.blobDir, 'scratch', `${id}.1`, 'go'), '');
      for (const id of ids) expect((await user.ended(id)).status).toBe('succeeded');
    };
    for (const id of held) await user.atWork(id);
    const placed = await fleet.rows<{ id: string; place: string }>(
      `SELECT t.id, row_number() OVER (PARTITION BY r.owner ORDER BY t.id) AS place
         FROM tasks t JOIN runs r ON r.id = t.run_id WHERE t.id = ANY($1)`,
      [held],
    );
    const free = placed.filter(({ place }) => Number(place) <= 2).map(({ id }) => id);
    expect(free).toHaveLength(3);
    await end(free);
    return () => end(held.filter((id) => !free.includes(id)));
  }

  it('says that a worker is one, and how much it takes', () => {
    expect(survivor.output).toMatch(/: a worker\n {2}tasks {6}up to 4 at once\n/);
  });

  it('3: killed after `started`: worker_lost within 20 s, box and folder gone, and the key’s place is free', async () => {
    const { id, box } = cases.spoken;
    expect(await gone(box, settledWithin(2_000))).toEqual([]);
    await frugal.ended(id, settledWithin(SETTLED_MS));
    expect(await fleet.stored(id)).toMatchObject({
      ...{ status: 'failed', attempt: 1, error: { code: 'worker_lost' } },
      runs: [{ outcome: 'failed', error_code: 'server_lost' }],
    });
    await until(
      'its folder is gone',
      () => scratch(id),
      (names) => names.length === 0,
      2_000,
    );
    const { row } = await endedOnce(frugal, id);
    const after = await frugal.ended(next);
    expect([after.status, after.result.output]).toEqual(['succeeded', 'My turn.']);
    expect(Date.parse(after.started_at)).toBeGreaterThan(row.finished_at.getTime());
  });

  it('2: killed before `started`: queued again, done by another worker, never by two at once', async () => {
    const { id, box } = cases.early;
    expect(await gone(box, settledWithin(2_000))).toEqual([]);
    expect((await user.ended(id)).result.output).toBe('Done in the end.');
    const { row, events } = await endedOnce(user, id);
    expect(row).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(events.filter(({ type }) => type === 'started')).toHaveLength(1);
    const [first, second] = row.runs;
    expect([row.runs.length, first.error_code, second.outcome]).toEqual([2, 'server_lost', 'succeeded']);
    expect(second.started_at.getTime()).toBeGreaterThanOrEqual(first.ended_at.getTime());
    expect(await scratch(id)).toEqual([]);
  });

  it('4: told to go: gives running work its time, ends it, and leaves nothing behind', async () => {
    const { id, box, worker } = cases.drained;
    // It may have been cut only after the time that it was promised.
    expect(await worker.exited()).toBe(0);
    expect(sinceStruck()).toBeGreaterThan(STOPPED_MS - 1_000);
    expect(alive(box)).toEqual([]);
    const { row } = await endedOnce(user, id);
    expect(row).toMatchObject({
      ...{
        status: 'failed',
        attempt: 1,
        error: { code: 'shutting_down' },
        result: { output: 'I take long.' },
      },
    });
    expect(await scratch(id)).toEqual([]);
  });

  it('5: stopped for 30 s: another worker settles its task, and nothing that it does afterwards counts', async () => {
    const { id, box, worker } = cases.stopped;
    await user.ended(id, settledWithin(SETTLED_MS));
    const settled = await fleet.stored(id);
    expect(settled).toMatchObject({ status: 'failed', error: { code: 'worker_lost' }, attempt: 1 });
    expect(settled.runs).toMatchObject([{ outcome: 'failed', error_code: 'server_lost' }]);
    expect(settled.finished_at.getTime() - struckAt).toBeLessThan(SETTLED_MS);
    await woken;
    expect(await gone(box, 3_000)).toEqual([]);
    await until('it has seen that the task is lost', () => worker.output.includes('lost a task'));
    await endedOnce(user, id);
    expect(await fleet.stored(id)).toEqual(settled);
    expect(await scratch(id)).toEqual([]);
    // No model call was paid for after the task had ended.
    const asked = fleet.model.journal.filter(({ body }) =>
      JSON.stringify(body.messages).includes('stopped:'),
    );
    expect(asked).toHaveLength(1);
  });

  it('runs no more of a key than its tier allows, over two workers, and lets another key’s task pass', async () => {
    const [many, one] = [await fleet.user('pro', 'many'), await fleet.user('pro', 'one')];
    const letGo = await threePlacesAtTwoWorkers();
    const ids = await Promise.all(
      Array.from({ length: 10 }, () => many.submit({ description: 'short: now' })),
    );
    const other = await one.submit({ description: 'short: now' });
    const running = async () =>
      fleet.rows(`SELECT run_id FROM tasks WHERE project = 'many' AND status = 'running'`);
    let [most, mostBoxes, left] = [0, 0, ids.length];
    for (; left > 0; await sleep(50)) {
      const now = await running();
      most = Math.max(most, now.length);
      mostBoxes = Math.max(mostBoxes, now.filter(({ run_id: run }) => run && boxOf(run).length > 0).length);
      const unfinished = `SELECT 1 FROM tasks WHERE project = 'many' AND finished_at IS NULL`;
      left = (await fleet.rows(unfinished)).length;
    }
    expect([most, mostBoxes]).toEqual([3, 3]);
    const starts = await fleet.rows(`SELECT started_at AS at FROM tasks WHERE project = 'many' ORDER BY 1`);
    const { started_at: otherStart } = await one.ended(other);
    expect(Date.parse(otherStart)).toBeLessThan(starts[6].at.getTime());
    const workers = await fleet.rows(
      `SELECT count(DISTINCT owner)::int AS workers FROM runs WHERE project = 'many'`,
    );
    expect(workers).toEqual([{ workers: 2 }]);
    await letGo();
  });

  it('1: the API killed during a stream: the worker goes on, and a reader of the next API gets the rest', async () => {
    const id = await user.submit({ description: 'told: now' });
    await until(
      'it speaks',
      () => fleet.stored(id),
      ({ last_seq: seq }) => seq > 4,
    );
    const first = await user.follow(id);
    let text = '';
    const reading = (async () => {
      for await (const piece of first.body as AsyncIterable<Uint8Array>)
        text += Buffer.from(piece).toString();
    })();
    await until(
      'it is heard',
      () => eventsOf(text),
      (events) => events.length > 8,
    );
    fleet.api.child.kill('SIGKILL');
    await expect(reading).rejects.toThrow();
    // The last one may have been cut: only a whole block counts, as an EventSource has it.
    const heard = eventsOf(text.slice(0, text.lastIndexOf('\n\n') + 2));
    await fleet.restartApi();
    const rest = await user.events(id, heard.at(-1).seq);
    const { row } = await endedOnce(user, id);
    expect(row).toMatchObject({ status: 'succeeded', attempt: 1 });
    const all = [...heard, ...rest];
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    expect(rest.at(-1).type).toBe('result');
    const said = all.filter(({ type }) => type === 'token').map(({ content }) => content);
    expect(said.join('')).toBe(`${'word '.repeat(100)}The end.`);
  });

  it('4: told to go with more waiting: finishes what it has, takes no more, and another worker does the rest', async () => {
    const ids = await Promise.all(
      Array.from({ length: 7 }, () => user.submit({ description: 'brief: now' })),
    );
    const started = () =>
      fleet.rows(`SELECT id FROM tasks WHERE id = ANY($1) AND started_at IS NOT NULL`, [ids]);
    await until('both are full', started, (rows) => rows.length === 5);
    const tree = treeOf(survivor.child.pid as number);
    survivor.child.kill('SIGTERM');
    expect(await survivor.exited()).toBe(0);
    expect(await gone(tree, 5_000)).toEqual([]);
    for (const id of ids) expect((await user.ended(id)).status).toBe('succeeded');
    const attempts = await fleet.rows('SELECT DISTINCT attempt FROM tasks WHERE id = ANY($1)', [ids]);
    expect(attempts).toEqual([{ attempt: 1 }]);
  });
});
