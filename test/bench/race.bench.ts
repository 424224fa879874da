import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate, removeEmbeddedDatabase, startDatabase } from '@app/database';
import { existingClusterFolder } from '../../libs/database/src/embedded/cluster-folder.js';
import { livePostmaster } from '../../libs/database/src/embedded/postmaster.js';
import { type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { MeteringModel, MODEL, MOST_RESERVED_NANO } from './metering-model.js';
import { naiveRace } from './naive-race.js';

const PROCESS = join(__dirname, 'race-process.mjs');
const SECONDS = 40;
const PROCESSES = 3;
const CLIENTS = 64;
/** Of one key beside the project's: it has ten of the clients, the most that a key may have at once. */
const KEY_CLIENTS = 10;
const START = { key: 100_000_000, project: 2_000_000_000 };
const GRANT = { key: 25_000_000, project: 600_000_000 };

/** A run as the ledger has it in the end. */
interface Row {
  id: string;
  key_id: string;
  settled: string | null;
  error_code: string | null;
}

/**
 * The budgets stay at their edge all the time: what is granted each half second is gone at once. Meanwhile processes
 * are killed, and Postgres crashes. Then what the model itself has metered, call by call, is held against the ledger.
 */
describe('a race for two budgets', () => {
  let home: string;
  let url: string;
  let release: () => Promise<void>;
  let postmaster: () => number;
  let house: LedgerProcess;
  let model: MeteringModel;
  let keys: string[];
  let budgets: { key: string; project: string };
  const children = new Map<number, ChildProcess>();
  const ready = new Set<ChildProcess>();
  let stopping = false;
  let closed = false;

  beforeAll(async () => {
    spawnSync(process.execPath, [resolve(__dirname, '../../bin/build.cjs')], { stdio: 'inherit' });
    home = await mkdtemp(join(tmpdir(), 'race-'));
    const database = await startDatabase({ home });
    database.supervise();
    ({ url } = database);
    release = () => database.release();
    const data = join(existingClusterFolder(home)!.folder, 'data');
    postmaster = () => livePostmaster(data)!.pid;
    await migrate(url);
    house = await startLedgerProcess(url);
    keys = await Promise.all(Array.from({ length: 8 }, () => house.key('race')));
    budgets = {
      key: await house.budget({ project: 'race', keyId: keys[0], limit: START.key, period: 'total' }),
      project: await house.budget({ project: 'race', limit: START.project, period: 'total' }),
    };
    model = await MeteringModel.start();
  }, 120_000);

  afterAll(async () => {
    closed = true;
    for (const child of children.values()) child.kill('SIGKILL');
    await model?.stop();
    await house?.stop();
    await release?.();
    await removeEmbeddedDatabase(home);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  function start(index: number): void {
    const own = keys.slice(1);
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      client < KEY_CLIENTS ? keys[0] : own[client % own.length],
    ).filter((_, client) => client % PROCESSES === index);
    const child = fork(PROCESS, [jobOf(index, clients)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.set(index, child);
    child.once('message', () => ready.add(child));
    child.on('exit', (code) => {
      if (closed || (stopping && code === 0)) return;
      if (!stopping && code !== null) process.stderr.write(`process ${index} ended with ${code}\n`);
      setTimeout(() => start(index), 100);
    });
  }

  function jobOf(index: number, clients: (string | undefined)[]): string {
    const environment = {
      ...{ CLAUDE_API_HOME: join(home, `process-${index}`), DATABASE_URL: url, MAX_RUNS: '64' },
      ...{ KEY_PEPPER: 'p'.repeat(32), AUDIT_KEY: 'a'.repeat(32), ANTHROPIC_API_KEY: 'race' },
    };
    return JSON.stringify({ environment, modelUrl: model.url, model: MODEL, clients });
  }

  async function grant(): Promise<void> {
    for (const which of ['key', 'project'] as const) {
      await house.rows(
        `WITH g AS (UPDATE budget_windows SET granted_n = granted_n + $2 WHERE budget_id = $1)
         SELECT pg_notify('budgets_changed', 'race')`,
        [budgets[which], GRANT[which]],
      );
    }
  }

  it(
    'overshoots by nothing, holds nothing afterwards, and agrees with the model to the nano-dollar',
    async () => {
      for (let index = 0; index < PROCESSES; index++) start(index);
      const control = naiveRace(url, CLIENTS);
      const until = Date.now() + SECONDS * 1000;
      let [kills, crashes, most] = [0, 0, 0n];
      const crashAt = Date.now() + (SECONDS * 1000) / 2;
      let nextKill = Date.now() + 6_000;
      while (Date.now() < until) {
        await sleep(500);
        await grant().catch(() => undefined);
        const [row] = await house
          .rows(
            'SELECT max(held_n + settled_n + overrun_n - limit_n - granted_n) AS over FROM budget_windows',
          )
          .catch(() => [{ over: '-1' }]);
        if (row.over !== null && BigInt(row.over) > most) most = BigInt(row.over);
        if (Date.now() > nextKill) {
          children.get(Math.floor(Math.random() * PROCESSES))?.kill('SIGKILL');
          kills += 1;
          nextKill = Date.now() + 1_500 + Math.random() * 3_000;
        }
        if (crashes === 0 && Date.now() > crashAt) {
          process.kill(postmaster(), 'SIGQUIT');
          crashes += 1;
        }
      }
      stopping = true;
      await allEnded();
      const result = await account();
      const naive = await control;
      report({
        bench: 'race',
        seconds: SECONDS,
        processes: PROCESSES,
        clients: CLIENTS,
        kills,
        postgres_crashes: crashes,
        ...result,
        most_over_limit_nano: String(most),
        control_naive: naive,
      });
      expect(kills).toBeGreaterThan(3);
      expect(result).toMatchObject({ runs_that_do_not_agree: [], held_nano: '0', overshoot_nano: '0' });
      expect(result.ledger_nano).toBe(result.model_nano);
      expect(result.windows).toEqual(result.windows_by_the_ledger);
      expect(most).toBe(0n);
      expect(naive.over_limit_percent).toBeGreaterThan(0);
    },
    (SECONDS + 120) * 1000,
  );

  async function allEnded(): Promise<void> {
    const exits = [...children.keys()].map(async (index) => {
      for (let child = children.get(index)!; ; child = children.get(index)!) {
        if (child.exitCode === 0) break;
        // Before it is ready the signal would be its end, and its start begin again.
        if (ready.delete(child)) child.kill('SIGTERM');
        await sleep(300);
      }
      // Once more, without clients: a start sweeps what its installation has left.
      const last = fork(PROCESS, [jobOf(index, [])], {
        execArgv: [],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      await once(last, 'exit');
    });
    await Promise.all(exits);
  }

  /**
   * Run by run. The model knows each call that reached it: what it reported or, when it cut the answer, what the call
   * had reserved, which is what it must count as. A process that was killed leaves one question: its last call may
   * have been answered without its being written (then it counts as reserved, on both sides), or have been reserved
   * and never sent (then the model has not heard of it; it is counted, and checked against the most that it can be).
   */
  async function account() {
    const rows: Row[] = await house.rows(
      `SELECT id, key_id, settled_nano AS settled, error_code FROM runs WHERE project = 'race'`,
    );
    const sums = { ledger: 0n, model: 0n, key: 0n };
    const found = { exact: 0, last_call_at_its_reservation: 0, last_call_never_sent: 0 };
    let neverSent = 0n;
    const wrong: object[] = [];
    for (const row of rows) {
      const settled = BigInt(row.settled ?? -1);
      const { metered, lastAsReserved } = model.of(row.id);
      sums.ledger += settled;
      if (row.key_id === keys[0]) sums.key += settled;
      const unsent = settled - metered;
      if (unsent === 0n) found.exact += 1;
      else if (row.error_code === 'server_lost' && settled === lastAsReserved)
        found.last_call_at_its_reservation += 1;
      else if (row.error_code === 'server_lost' && unsent > 0n && unsent <= MOST_RESERVED_NANO) {
        found.last_call_never_sent += 1;
        neverSent += unsent;
      } else wrong.push({ ...row, metered: String(metered), lastAsReserved: String(lastAsReserved) });
      sums.model += settled === lastAsReserved && unsent !== 0n ? lastAsReserved : metered;
    }
    const windows = await house.rows(
      `SELECT budget_id, settled_n AS settled, limit_n + granted_n AS limit, held_n AS held, overrun_n AS overrun
         FROM budget_windows ORDER BY budget_id`,
    );
    const over = windows.map(
      ({ settled, held, overrun, limit }) => BigInt(settled) + BigInt(held) + BigInt(overrun) - BigInt(limit),
    );
    const byLedger = { [budgets.key]: sums.key, [budgets.project]: sums.ledger };
    return {
      runs: rows.length,
      runs_agree: found,
      runs_that_do_not_agree: wrong,
      model_calls: model.calls,
      reported_by_the_model_nano: String(model.reported),
      never_sent_nano: String(neverSent),
      model_nano: String(sums.model + neverSent),
      ledger_nano: String(sums.ledger),
      held_nano: String(windows.reduce((sum, { held }) => sum + BigInt(held), 0n)),
      overshoot_nano: String(over.reduce((sum, one) => (one > 0n ? sum + one : sum), 0n)),
      windows: windows.map(({ budget_id: id, settled }) => [id, settled]),
      windows_by_the_ledger: windows.map(({ budget_id: id }) => [id, String(byLedger[id])]),
      used_percent_of_limit: windows.map(({ settled, limit }) => (100 * Number(settled)) / Number(limit)),
    };
  }
});

function report(result: object): void {
  process.stdout.write(
    `\n${JSON.stringify({ ...result, cores: availableParallelism(), load: loadavg()[0] })}\n`,
  );
}
