import { answering, ended, ScriptedExecutor, waited } from '../support/scripted-executor.js';
import { call, TaskInstallation, type TaskProcess, until } from '../support/task-installation.js';
import { eventsOf } from '../support/test-service.js';

describe('tasks over HTTP', () => {
  let installation: TaskInstallation;
  let server: TaskProcess;
  let executor: ScriptedExecutor;
  let key: string;

  beforeAll(async () => {
    installation = await TaskInstallation.start();
    executor = new ScriptedExecutor();
    server = await installation.startProcess({}, executor);
    ({ key } = await installation.key(server));
  });
  beforeEach(() => (executor.script = answering('First paragraph.\n\nSecond one.')));
  afterAll(() => installation.stop());

  const post = (body: object, path = '/v1/tasks', headers = {}) =>
    call(server, key, 'POST', path, { body, headers });
  const get = (path: string, headers = {}) => call(server, key, 'GET', path, { headers });

  it('are accepted, done, and shown with what happened', async () => {
    const accepted = await post({ description: 'Say it.', metadata: { ticket: 'A-17' }, model: 'haiku' });
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({
      id: expect.stringMatching(/^task_[0-9a-f]{32}$/),
      object: 'task',
      description: 'Say it.',
      metadata: { ticket: 'A-17' },
      effective_policy: { network: 'none', timeout_seconds: 600, max_cost_usd: 10 },
    });
    expect(accepted.headers.get('location')).toBe(`/v1/tasks/${accepted.body.id}`);
    const done = await until(async () => {
      const { body } = await get(`/v1/tasks/${accepted.body.id}`);
      return body.finished_at && body;
    });
    expect(done).toMatchObject({
      status: 'succeeded',
      model: 'claude-haiku-5-5',
      started_at: expect.any(String),
      result: { summary: 'First paragraph.', output: 'First paragraph.\n\nSecond one.' },
      error: null,
      queue_position: null,
      denials: [],
      artifacts: [],
      timing: { queue_ms: expect.any(Number), total_ms: expect.any(Number) },
    });
    expect(done.execution_log.map(({ type, seq }: any) => [type, seq])).toEqual([
      ['queued', 1],
      ['started', 2],
      ['result', 4],
    ]);
    const left = await installation.sql.query('SELECT * FROM task_inputs');
    expect(left.rows).toEqual([]);
    expect((await installation.sql.query('SELECT * FROM pgboss.job')).rows).toEqual([]);
  });
});
