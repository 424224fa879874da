import { AnswerReader, type Said } from './answer-reader.js';
import { CondensedAnswer } from './condensed-answer.js';

const MODEL = 'claude-haiku-5-5';
type Event = { type: string } & Record<string, unknown>;

const sse = (...events: Event[]) =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const delta = (index: number, said: object): Event => ({ type: 'content_block_delta', index, delta: said });
const text = (content: string, index = 0) => delta(index, { type: 'text_delta', text: content });
const thought = (content: string) => delta(0, { type: 'thinking_delta', thinking: content });
const signature = delta(0, { type: 'signature_delta', signature: 'c2ln' });
const start: Event = { type: 'message_start', message: { usage: { input_tokens: 1, output_tokens: 1 } } };
const end: Event = {
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage: { output_tokens: 7 },
};
const stop: Event = { type: 'message_stop' };
const ping: Event = { type: 'ping' };
const blockStop: Event = { type: 'content_block_stop', index: 0 };

function condensed(stream: string, pieceBytes = 1_000_000) {
  const said: Said[] = [];
  const reader = new AnswerReader(MODEL, (piece) => said.push(piece));
  const answer = new CondensedAnswer(reader);
  const bytes = Buffer.from(stream);
  let told = '';
  for (let at = 0; at < bytes.length; at += pieceBytes)
    told += answer.push(bytes.subarray(at, at + pieceBytes));
  return { told: told + answer.end(), said, reader };
}

describe('an answer as the CLI is told it', () => {
  afterEach(() => jest.restoreAllMocks());

  it.each([1, 3, 64, 1_000_000])('has its text as one piece, in pieces of %i bytes', (pieceBytes) => {
    const { told, said, reader } = condensed(
      sse(start, text('hé'), text('llo'), text('\n\nevent: x'), blockStop, end, stop),
      pieceBytes,
    );
    expect(told).toBe(sse(start, text('héllo\n\nevent: x'), blockStop, end, stop));
    expect(said.map(({ content }) => content)).toEqual(['hé', 'llo', '\n\nevent: x']);
    expect(reader).toMatchObject({ complete: true, stopReason: 'end_turn', usage: { outputTokens: 7 } });
  });

  it('keeps the order of thoughts, blocks and everything else', () => {
    const stream = [thought('a'), signature, blockStop, text('b', 1), text('c', 2), ping, text('d', 2), stop];
    expect(condensed(sse(start, ...stream)).told).toBe(sse(start, ...stream));
  });

  it('passes on as it is what it does not know', () => {
    const strange = `: comment\n\ndata: {not json\n\nid: 7\nretry: 5\ndata: {"type":"content_block_delta"}\n\n`;
    const lines = sse(start, text('a'), stop).replaceAll('\n', '\r\n');
    expect(condensed(strange).told).toBe(strange);
    expect(condensed(lines).told.replaceAll('\r', '')).toBe(sse(start, text('a'), stop));
  });

  it('has all that came when it was cut', () => {
    const cut = `${sse(start, text('a'), text('b'))}event: content_block_delta\ndata: {"typ`;
    expect(condensed(cut).told).toBe(`${sse(start, text('ab'))}event: content_block_delta\ndata: {"typ`);
  });

  it('does not keep the CLI waiting for a second while text comes', () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const answer = new CondensedAnswer(new AnswerReader(MODEL, () => undefined));
    expect(answer.push(Buffer.from(sse(text('a'))))).toBe('');
    now.mockReturnValue(1_001);
    expect(answer.push(Buffer.from(sse(text('b'))))).toBe(sse(text('ab')));
  });

  it('refuses a line without an end', () => {
    const endless = Buffer.alloc(1024 * 1024, 'x');
    const answer = new CondensedAnswer(new AnswerReader(MODEL, () => undefined));
    const flood = () => {
      for (let times = 0; times < 5; times += 1) answer.push(endless);
    };
    expect(flood).toThrow('without an end');
  });
});
