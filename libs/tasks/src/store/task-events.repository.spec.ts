import { Test, type TestingModule } from '@nestjs/testing';
import { DatabaseModule, Transactions } from '@app/database';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/test-database.js';
import type { NewTaskEvent } from '../task-event.js';
import type { Claim } from '../task.js';
import { TaskEventsRepository } from './task-events.repository.js';

describe('the log of a task', () => {
  const id = `task_${'1'.repeat(32)}`;
  const held = { id, attempt: 2 } as Claim;
  const said = (content: string): NewTaskEvent => ({ type: 'token', data: { content } });
  let database: TestDatabase;
  let app: TestingModule;
  let log: TaskEventsRepository;

  beforeEach(async () => {
    database = await createTestDatabase();
    const imports = [DatabaseModule.forUrl(database.url)];
    app = await Test.createTestingModule({ imports, providers: [TaskEventsRepository] }).compile();
    await app.init();
    log = app.get(TaskEventsRepository);
    await app.get(Transactions).manager.query(
      `INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy, status, attempt, worker, lease_until)
       VALUES ($1, 'p', 'key_1', 'free', 'x', 'haiku', '{}', 'running', 2, 'w', now())`,
      [id],
    );
  });
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  const contents = async () =>
    (await log.page(id, 0, 10))?.events.map(({ seq, data }) => [seq, data.content]);

  it('takes what was committed unheard, and is sent again, only once', async () => {
    expect(await log.append(held, 0, [said('a'), said('b')])).toBe('added');
    expect(await log.append(held, 0, [said('a'), said('b')])).toBe('there');
    expect(await log.append(held, 2, [said('c')])).toBe('added');
    expect(await contents()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
  });

  it('takes nothing from who had the task before, nor after its end', async () => {
    expect(await log.append({ ...held, attempt: 1 }, 0, [said('a')])).toBe('lost');
    await app
      .get(Transactions)
      .manager.query(
        `UPDATE tasks SET status = 'failed', finished_at = now(), worker = NULL, lease_until = NULL`,
      );
    expect(await log.append(held, 0, [said('a')])).toBe('lost');
    expect(await contents()).toEqual([]);
  });
});
