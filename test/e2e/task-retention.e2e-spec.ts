import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { v7 } from 'uuid';
import { Clock } from '@app/common';
import { Transactions } from '@app/database';
import { TaskRetention } from '../../libs/tasks/src/worker/task-retention.js';
import { Workspaces } from '../../libs/tasks/src/workspaces/workspaces.service.js';
import { ArtifactRows } from '../support/artifact-rows.js';
import { MovableClock } from '../support/movable-clock.js';
import { startTestService, type TestService } from '../support/test-service.js';

const DAY_MS = 86_400_000;

describe('how long tasks are kept', () => {
  let service: TestService;
  let key: string;
  const clock = new MovableClock();

  beforeAll(async () => {
    service = await startTestService();
    ({ key } = await service.key());
    Object.assign(service.app.get(Clock), { now: () => clock.now() });
  });
  afterAll(() => service.stop());
  beforeEach(() => {
    clock.movedMs = 0;
  });

  const query = (sql: string, values: unknown[] = []): Promise<any[]> =>
    service.app.get(Transactions).manager.query(sql, values);
  const retention = () => service.app.get(TaskRetention);
  const days = async () =>
    (
      await query(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'task_events'::regclass",
      )
    )
      .map(({ name }) => name)
      .toSorted();

  /** With one event; of so many days ago, ended or not. */
  async function task(daysAgo: number, status: 'succeeded' | 'queued' = 'succeeded'): Promise<string> {
    const at = new Date(clock.now().getTime() - daysAgo * DAY_MS);
    const id = `task_${v7({ msecs: at.getTime() }).replaceAll('-', '')}`;
    await query(
      `INSERT INTO tasks (id, project, key_id, tier, status, description, model, effective_policy, created_at, finished_at)
       VALUES ($1, 'test-app', 'k', 'pro', $2, 'd', 'm', '{}', $3, $4)`,
      [id, status, at, status === 'queued' ? null : at],
    );
    await query(`INSERT INTO task_events VALUES ($1, 1, 'queued', $2, '{}')`, [id, at]);
    return id;
  }
  const there = async (id: string) => [
    (await query('SELECT 1 FROM tasks WHERE id = $1', [id])).length,
    (await query('SELECT 1 FROM task_events WHERE task_id = $1', [id])).length,
  ];

  it('30 days: then a task goes with its events, a day at a time and never before it ended', async () => {
    await task(0);
    for (let day = 0; day < 40; day++) {
      clock.movedMs += DAY_MS;
      await (retention() as any).makeAhead();
    }
    const old = await task(32);
    const waiting = await task(33, 'queued');
    const young = await task(29);
    const before = await days();

    await retention().dropOld();
    expect([await there(old), await there(waiting), await there(young)]).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
    ]);
    expect((await days()).length).toBeLessThan(before.length);

    await query("UPDATE tasks SET status = 'cancelled', finished_at = $2 WHERE id = $1", [
      waiting,
      clock.now(),
    ]);
    await retention().dropOld();
    expect(await there(waiting)).toEqual([1, 1]);
    clock.movedMs += 31 * DAY_MS;
    await retention().dropOld();
    expect([await there(old), await there(waiting), await there(young)]).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(await query('SELECT 1 FROM task_events')).toEqual([]);
  });

  it('7 days: then the contents of artifacts go, and their names stay', async () => {
    const rows = await ArtifactRows.open(service.databaseUrl);
    const id = await rows.task('test-app');
    await rows.keep(service.app, id, 'report.md', 'hello');
    const folder = join(service.config.blobDir, 'artifacts', id);
    const sweep = () => service.app.get(Workspaces).sweep(async () => true);
    clock.movedMs = 6 * DAY_MS;
    await sweep();
    expect(existsSync(folder)).toBe(true);
    clock.movedMs = 8 * DAY_MS;
    await sweep();
    expect(existsSync(folder)).toBe(false);

    const get = async (path: string) => {
      const answer = await fetch(`${service.url}/v1/tasks/${id}/artifacts${path}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      return { status: answer.status, body: (await answer.json()) as any };
    };
    expect(await get('')).toMatchObject({ status: 200, body: { data: [{ path: 'report.md' }] } });
    expect(await get('/report.md')).toMatchObject({
      status: 404,
      body: { error: { message: expect.stringContaining('expired') } },
    });
    await rows.close();
  });
});
