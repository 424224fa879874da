import type { NewTaskEvent } from '../task-event.js';
import { EventWriter } from './event-writer.js';

const said = (content: string, agent?: string): NewTaskEvent => ({
  type: 'token',
  data: agent ? { content, agent } : { content },
});
const call: NewTaskEvent = { type: 'tool_call', data: { tool: 'Read' } };

describe('the event writer', () => {
  const answers: ('yes' | 'lost' | 'again')[] = [];
  let batches: NewTaskEvent[][];
  let lost: number;
  let writer: EventWriter;

  beforeEach(() => {
    jest.useFakeTimers();
    answers.length = 0;
    batches = [];
    lost = 0;
    writer = new EventWriter(
      async (events) => {
        const answer = answers.shift() ?? 'yes';
        if (answer === 'yes') batches.push(events);
        return answer;
      },
      () => (lost += 1),
    );
  });
  afterEach(() => jest.useRealTimers());

  it('gathers text for 50 ms', async () => {
    for (const content of ['a', 'b', 'c']) await writer.add(said(content));
    await jest.advanceTimersByTimeAsync(49);
    expect(batches).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(batches).toEqual([[said('abc')]]);
  });

  it('or 1 KiB', async () => {
    await writer.add(said('x'.repeat(1023)));
    await jest.advanceTimersByTimeAsync(0);
    expect(batches).toEqual([]);
    await writer.add(said('y'));
    await jest.advanceTimersByTimeAsync(0);
    expect(batches).toEqual([[said(`${'x'.repeat(1023)}y`)]]);
  });

  it('writes all else at once and in order, and text only together with its own kind and speaker', async () => {
    await writer.add(said('a'));
    await writer.add({ type: 'thinking', data: { content: 'b' } });
    await writer.add(said('c'));
    await writer.add(said('d', 'auditor'));
    await writer.add(call);
    await jest.advanceTimersByTimeAsync(0);
    const thought: NewTaskEvent = { type: 'thinking', data: { content: 'b' } };
    expect(batches).toEqual([[said('a'), thought, said('c'), said('d', 'auditor'), call]]);
  });

  it('writes what comes at whatever moment of the end of a write, without waiting for more', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      batches = [];
      await writer.add(call);
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      await writer.add(call);
      await jest.advanceTimersByTimeAsync(0);
      expect([steps, batches.flat().length]).toEqual([steps, 2]);
    }
  });

  it('keeps everything, in order, while the database is away', async () => {
    answers.push('again', 'again');
    await writer.add(call);
    await writer.add(said('a'));
    const end = writer.end();
    await jest.advanceTimersByTimeAsync(1_000);
    await end;
    expect(batches).toEqual([[call], [said('a')]]);
  });

  it('lets a run that tells too much wait', async () => {
    answers.push('again', 'again', 'again', 'again');
    await writer.add(call);
    let room = false;
    void writer.add(said('x'.repeat(1024 * 1024 + 1))).then(() => (room = true));
    await jest.advanceTimersByTimeAsync(1_400);
    expect(room).toBe(false);
    await jest.advanceTimersByTimeAsync(1_000);
    expect([room, batches.length]).toEqual([true, 2]);
  });

  it('writes nothing more once the task is somebody else’s', async () => {
    answers.push('lost');
    await writer.add(call);
    await jest.advanceTimersByTimeAsync(0);
    await writer.add(call);
    await writer.end();
    expect([batches, lost]).toEqual([[], 1]);
  });
});
