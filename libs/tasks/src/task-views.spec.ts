import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { operatorPrincipal } from '@app/auth';
import { CommonModule, type Principal } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule, Transactions } from '@app/database';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { TaskViews } from './task-views.js';
import { TaskViewsModule } from './task-views.module.js';

describe('who sees which tasks', () => {
  const idOf = (digit: number) => `task_${String(digit).repeat(32)}`;
  const ofProject = (project: string): Principal => ({ ...operatorPrincipal(), kind: 'key', project });
  let home: string;
  let database: TestDatabase;
  let app: TestingModule;
  let views: TaskViews;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'task-views-'));
    database = await createTestDatabase();
    const config = loadConfig({}, { CLAUDE_API_HOME: home, DATABASE_URL: database.url });
    const ground = [CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(database.url)];
    app = await Test.createTestingModule({ imports: [...ground, TaskViewsModule] }).compile();
    await app.init();
    views = app.get(TaskViews);
    for (const [digit, project] of [
      [1, 'red'],
      [2, 'blue'],
      [3, 'red'],
    ] as const) {
      await app.get(Transactions).manager.query(
        `INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy)
         VALUES ($1, $2, 'key_1', 'free', 'x', 'haiku', '{}')`,
        [idOf(digit), project],
      );
    }
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
    await rm(home, { recursive: true });
  });

  const seen = async (principal: Principal, query = {}) =>
    (await views.list(principal, query)).data.map(({ id, project_id }) => [id, project_id]);

  it('the operator those of all projects, each with its own', async () => {
    expect(await seen(operatorPrincipal())).toEqual([
      [idOf(3), 'red'],
      [idOf(2), 'blue'],
      [idOf(1), 'red'],
    ]);
    expect(await seen(operatorPrincipal(), { project: 'blue' })).toEqual([[idOf(2), 'blue']]);
    expect(await views.show(operatorPrincipal(), idOf(2))).toMatchObject({ id: idOf(2), project_id: 'blue' });
  });

  it('a key those of its project, whatever project it asks for', async () => {
    const mine = [
      [idOf(3), undefined],
      [idOf(1), undefined],
    ];
    expect(await seen(ofProject('red'))).toEqual(mine);
    expect(await seen(ofProject('red'), { project: 'blue' })).toEqual(mine);
    await expect(views.show(ofProject('red'), idOf(2))).rejects.toMatchObject({ code: 'not_found' });
    expect(await seen(ofProject('operator'))).toEqual([]);
  });
});
