import { newId } from '@app/common';
import { cliProcesses } from '../support/processes.js';
import { plays, uses } from '../support/scripted-turns.js';
import type { ServerProcess } from '../support/server-process.js';
import { type TaskApi, until } from '../support/task-api.js';
import { WorkerFleet } from '../support/worker-fleet.js';

jest.setTimeout(240_000);

/** What one whole answer of the stand-in costs: 12 tokens in and 7 out of haiku. */
const CALL_NANO = 4_700;
const speaks = { text: 'word '.repeat(3_000), chunks: 3_000, chunkDelayMs: 100 };
const hangs = { text: 'One.', ...uses('Bash', { command: 'sleep 900' }) };
const PARTS = {
  whole: [{ text: 'Done.' }],
  abort: [speaks],
  crash: [{ text: 'word '.repeat(30), chunks: 30, chunkDelayMs: 100 }],
  lost: [speaks],
  server: [speaks],
  worker: [hangs],
  cancel: [hangs],
};

/**
 * What each end that nobody wished for leaves in the ledger: one outcome, and money that adds up. Real processes, one
 * project for each way to end, with a budget that everything it uses has to pass.
 */
describe('the ledger after a run that', () => {
  let fleet: WorkerFleet;
  let worker: ServerProcess;

  beforeAll(async () => {
    fleet = await WorkerFleet.start();
    fleet.model.script = plays(PARTS);
    worker = await fleet.worker({ MAX_RUNS: '1' });
  });
  afterAll(() => fleet.stop());

  /** A project of its own with a budget, whose one finished answer shows that the budget counts. */
  async function payer(project: string): Promise<TaskApi> {
    const user = await fleet.user('enterprise', project);
    await fleet.rows(
      `INSERT INTO budgets (id, project, unit, limit_n, period, time_zone)
       VALUES ($1, $2, 'usd', 50000000000, 'total', 'UTC')`,
      [newId('budget'), project],
    );
    return user;
  }
  const killClis = ({ child }: ServerProcess) => {
    for (const { pid } of cliProcesses(child.pid as number)) process.kill(pid, 'SIGKILL');
  };
  const complete = (user: TaskApi, prompt: string, over: object = {}, signal?: AbortSignal) =>
    fetch(`${fleet.api.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${user.key}` },
      body: JSON.stringify({ prompt: `${prompt}: now`, model: 'haiku', ...over }),
      signal,
    });
  const runsOf = (project: string) =>
    fleet.rows('SELECT * FROM runs WHERE project = $1 ORDER BY started_at', [project]);
  const heldBy = async (project: string): Promise<number> =>
    (
      await fleet.rows(
        `SELECT sum(held_n)::float8 AS held FROM budget_windows JOIN budgets b ON b.id = budget_id WHERE project = $1`,
        [project],
      )
    )[0].held;
  const asked = (prompt: string) =>
    until(`the model is asked (${prompt})`, () =>
      fleet.model.journal.some(({ body }) => JSON.stringify(body?.messages ?? '').includes(`${prompt}: now`)),
    );

  /** All runs of the project have ended, each once; its budget holds nothing and has what they settled. */
  async function settled(project: string, outcome: string, code: string | null) {
    const runs = await until(
      'the outcome',
      () => runsOf(project),
      (rows) => rows.length > 0 && rows.every(({ outcome: end }) => end !== null),
    );
    const last = runs.at(-1);
    expect([last.outcome, last.error_code]).toEqual([outcome, code]);
    const ends = await fleet.rows(
      `SELECT target->>'id' AS run, count(*)::int AS ends FROM audit_events
        WHERE project = $1 AND type = 'run.ended' GROUP BY 1`,
      [project],
    );
    expect(ends.map(({ ends: count }) => count)).toEqual(runs.map(() => 1));
    const [window] = await fleet.rows(
      `SELECT held_n::float8 AS held, settled_n::float8 AS settled, overrun_n::float8 AS over
         FROM budget_windows JOIN budgets b ON b.id = budget_id WHERE project = $1`,
      [project],
    );
    const all = runs.reduce((sum, { settled_nano: nano }) => sum + Number(nano), 0);
    expect(window).toEqual({ held: 0, settled: all, over: 0 });
    const usage = await fleet.rows(
      `SELECT input_tokens::int AS input, output_tokens::int AS output FROM run_usage WHERE run_id = $1`,
      [last.id],
    );
    return {
      cost: last.cost_nano === null ? null : Number(last.cost_nano),
      settled: Number(last.settled_nano),
      usage,
    };
  }

  /** Of a call that was cut nobody knows what it used: no tokens, and the money of its reservation. */
  const UNKNOWN = [{ input: null, output: null }];

  it('nothing happened to: exactly what the model metered', async () => {
    const user = await payer('whole');
    expect((await complete(user, 'whole')).status).toBe(200);
    expect(await settled('whole', 'succeeded', null)).toEqual({
      ...{ cost: CALL_NANO, settled: CALL_NANO, usage: [{ input: 12, output: 7 }] },
    });
  });

  it('its caller left: cancelled, at what was reserved', async () => {
    const user = await payer('abort');
    const caller = new AbortController();
    const answer = complete(user, 'abort', { stream: true }, caller.signal).then((response) =>
      response.text(),
    );
    await asked('abort');
    const held = await heldBy('abort');
    expect(held).toBeGreaterThan(CALL_NANO);
    caller.abort();
    await expect(answer).rejects.toThrow();
    expect(await settled('abort', 'cancelled', 'cancelled')).toEqual({
      cost: null,
      settled: held,
      usage: UNKNOWN,
    });
  });

  it('its caller cancelled in a tool: cancelled, at what the model metered until then', async () => {
    const user = await payer('cancel');
    const id = await user.submit({ description: 'cancel: now' });
    await user.atWork(id);
    expect((await user.cancel(id)).status).toBe(200);
    expect(await settled('cancel', 'cancelled', 'cancelled')).toEqual({
      ...{ cost: CALL_NANO, settled: CALL_NANO, usage: [{ input: 12, output: 7 }] },
    });
  });

  it('its CLI was killed in a model call: answered all the same, for the broker has bought it', async () => {
    const user = await payer('crash');
    const answer = complete(user, 'crash');
    await asked('crash');
    killClis(fleet.api);
    expect((await answer).status).toBe(200);
    expect(await settled('crash', 'succeeded', null)).toEqual({
      ...{ cost: CALL_NANO, settled: CALL_NANO, usage: [{ input: 12, output: 7 }] },
    });
  });

  it('its CLI was killed in a model call of a task: cli_crashed, at what was reserved', async () => {
    const user = await payer('lost');
    await user.submit({ description: 'lost: now' });
    await asked('lost');
    const held = await heldBy('lost');
    killClis(worker);
    expect(await settled('lost', 'failed', 'cli_crashed')).toEqual({
      cost: null,
      settled: held,
      usage: UNKNOWN,
    });
  });

  it('its server was killed in a model call: server_lost, at what was reserved, and its budget is free again', async () => {
    const user = await payer('server');
    const answer = complete(user, 'server').catch(() => 'cut');
    await asked('server');
    const held = await heldBy('server');
    fleet.api.child.kill('SIGKILL');
    expect(await answer).toBe('cut');
    await fleet.restartApi();
    expect(await settled('server', 'failed', 'server_lost')).toEqual({
      cost: null,
      settled: held,
      usage: [],
    });
    expect((await complete(user, 'whole')).status).toBe(200);
    expect((await settled('server', 'succeeded', null)).cost).toBe(CALL_NANO);
  });

  it('its worker was killed in a tool: server_lost, at no less than the model metered', async () => {
    const user = await payer('worker');
    const id = await user.submit({ description: 'worker: now' });
    await user.atWork(id);
    const held = await heldBy('worker');
    worker.child.kill('SIGKILL');
    // Another one finds the task.
    await fleet.worker({ MAX_RUNS: '1' });
    const task = await user.ended(id);
    expect([task.status, task.error.code]).toEqual(['failed', 'worker_lost']);
    const left = await settled('worker', 'failed', 'server_lost');
    // What the call had really used was to be written down before the next one.
    expect(left).toEqual({ cost: null, settled: held, usage: [] });
    expect(left.settled).toBeGreaterThanOrEqual(CALL_NANO);
  });
});
