import pg from 'pg';
import { startTestService, type TestService } from '../support/test-service.js';

describe('the line of one key', () => {
  let service: TestService;
  let database: pg.Client;

  beforeAll(async () => {
    // Nobody takes what waits here.
    service = await startTestService({ ROLE: 'api' });
    database = new pg.Client(service.databaseUrl);
    await database.connect();
  });
  afterAll(async () => {
    await database.end();
    await service.stop();
  });

  it('is full with 1,000 tasks, and no other key feels it', async () => {
    const [full, other] = [await service.key('enterprise', 'full'), await service.key('enterprise', 'other')];
    await database.query(
      `WITH waiting AS (
         INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy)
         SELECT 'task_' || md5(n::text), 'full', $1, 'enterprise', 'wait', 'haiku', '{}'
           FROM generate_series(1, 1000) n RETURNING id)
       INSERT INTO task_inputs SELECT id, '{}' FROM waiting`,
      [full.id],
    );
    const refused = await service.post('/v1/tasks', { description: 'one more' }, full.key);
    expect([refused.status, refused.body.error.code]).toEqual([503, 'queue_full']);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect((await service.post('/v1/tasks', { description: 'mine' }, other.key)).status).toBe(202);

    await database.query(`DELETE FROM tasks WHERE id = (SELECT min(id) FROM tasks WHERE key_id = $1)`, [
      full.id,
    ]);
    expect((await service.post('/v1/tasks', { description: 'one more' }, full.key)).status).toBe(202);
  });

  it('is full with 256 MiB of input', async () => {
    const { id, key } = await service.key('enterprise', 'large');
    await database.query(
      `WITH waiting AS (
         INSERT INTO tasks (id, project, key_id, tier, description, model, effective_policy)
         VALUES ('task_large', 'large', $1, 'enterprise', 'wait', 'haiku', '{}') RETURNING id)
       INSERT INTO task_inputs SELECT id, repeat('x', 268435456) FROM waiting`,
      [id],
    );
    const { status, body } = await service.post('/v1/tasks', { description: 'one more' }, key);
    expect([status, body.error.code]).toEqual([503, 'queue_full']);
  });
});
