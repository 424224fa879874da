import { StreamClient, textOf } from '../support/stream-client.js';
import { startTestService, type TestService } from '../support/test-service.js';

describe('the WebSocket', () => {
  let service: TestService;
  let key: string;

  beforeAll(async () => {
    service = await startTestService();
    key = (await service.key()).key;
  });
  afterAll(() => service.stop());
  afterEach(() => service.model.reset());

  it('answers a completion with events under the client’s own id', async () => {
    const client = await StreamClient.open(service.url, key);
    const events = await client.request({ type: 'completion', id: 'a', prompt: 'hello', model: 'haiku' });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(textOf(events)).toBe('Hello from the stand-in');
    expect(events.at(-1)).toMatchObject({
      type: 'done',
      id: 'a',
      run_id: expect.stringMatching(/^run_/),
      finish_reason: 'stop',
      cost_usd: expect.any(Number),
    });
    client.close();
  });

  it('runs a task and follows it to its result', async () => {
    const client = await StreamClient.open(service.url, key);
    const events = await client.request({
      type: 'agentic_task',
      id: 't',
      description: 'do it',
      model: 'haiku',
    });
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['queued', 'started', 'token', 'result']),
    );
    expect(events.at(-1)).toMatchObject({ type: 'result', status: 'succeeded', task_id: expect.any(String) });
    client.close();
  });
});
