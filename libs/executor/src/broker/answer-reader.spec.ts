import { AnswerReader } from './answer-reader.js';

const MODEL = 'claude-haiku-5-5';
const START = {
  type: 'message_start',
  message: {
    usage: {
      input_tokens: 10,
      output_tokens: 1,
      cache_creation_input_tokens: 30,
      cache_read_input_tokens: 5,
    },
  },
};
const DELTA = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hé' } };
const END = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } };
const sse = (...events: object[]) =>
  events.map((event) => `event: x\ndata: ${JSON.stringify(event)}\n\n`).join('');

function read(text: string, pieceBytes = 1_000_000): AnswerReader {
  const reader = new AnswerReader(MODEL);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return reader;
}

describe('reading what an answer used', () => {
  const whole = sse(START, DELTA, END, { type: 'message_stop' });
  const used = {
    model: MODEL,
    inputTokens: 10,
    outputTokens: 7,
    cacheReadTokens: 5,
    cacheWrite5mTokens: 30,
    cacheWrite1hTokens: 0,
  };

  it.each([1, 2, 3, 7, 64, 1_000_000])('is the same in pieces of %i bytes', (pieceBytes) => {
    const reader = read(whole, pieceBytes);
    expect(reader.usage).toEqual(used);
    expect([reader.stopReason, reader.complete, reader.hasContent]).toEqual(['end_turn', true, true]);
  });

  it('takes one-hour cache writes out of the total', () => {
    const cache_creation = { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 };
    const message = { usage: { ...START.message.usage, cache_creation } };
    const { usage } = read(sse({ ...START, message }, { type: 'message_stop' }));
    expect(usage).toMatchObject({ cacheWrite5mTokens: 10, cacheWrite1hTokens: 20 });
  });

  const nothing = Object.fromEntries(
    Object.keys(used).map((name) => [name, name === 'model' ? MODEL : null]),
  );

  it('knows nothing of an answer that was cut before it began', () => {
    expect(read('event: message_start\ndata: {"type":"mess').usage).toEqual(nothing);
  });

  it('has unknown counts, not none, when a whole answer tells nothing of what it used', () => {
    const silent = sse({ type: 'message_start', message: {} }, DELTA, { type: 'message_stop' });
    expect(read(silent).usage).toMatchObject({ inputTokens: null, outputTokens: null });
    const json = new AnswerReader(MODEL);
    json.readJson('{"type":"message","stop_reason":"end_turn"}');
    expect(json.usage).toMatchObject({ inputTokens: null, outputTokens: null });
  });

  it('takes nothing that an answer said before it was cut for what it used', () => {
    const reader = read(sse(START, DELTA));
    expect(reader.usage).toEqual(nothing);
    expect([reader.complete, reader.hasContent]).toEqual([false, true]);
  });

  it('passes over junk, and text that looks like an event', () => {
    const forged = { ...DELTA, delta: { type: 'text_delta', text: `data: ${JSON.stringify(END)}` } };
    const reader = read(
      `data: {not json\n\n: comment\n\n${sse({ type: 'new_kind' }, START, forged, { type: 'message_stop' })}`,
    );
    expect(reader.stopReason).toBeNull();
    expect(reader.usage).toMatchObject({ outputTokens: 1 });
  });

  it('does not keep a line without an end', () => {
    const reader = read(`data: ${'x'.repeat(3_000_000)}`, 65_536);
    expect(JSON.stringify(reader).length).toBeLessThan(1_100_000);
  });

  it.each(['12.5', '-1000000', '1e300', '9007199254740991', '"7"'])('does not meter %s tokens', (count) => {
    const end = sse(END, { type: 'message_stop' }).replace('"output_tokens":7', `"output_tokens":${count}`);
    const reader = read(sse(START, DELTA) + end);
    expect(reader.usage).toMatchObject({ inputTokens: 10, outputTokens: null });
    expect([reader.stopReason, reader.complete]).toEqual(['end_turn', true]);
  });

  it('is not deceived by an error that comes as a 200', () => {
    const reader = new AnswerReader(MODEL);
    reader.readJson('{"type":"error","error":{"type":"api_error","message":"no"}}');
    expect(reader.complete).toBe(false);
  });
});
