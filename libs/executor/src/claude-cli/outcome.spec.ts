import { outcomeOf } from './outcome.js';

type Signals = Parameters<typeof outcomeOf>[0];
const signals = (over: {
  broker?: Partial<Signals['broker']>;
  stoppedBy?: Signals['stoppedBy'];
}): Signals => ({
  report: { text: 'some text', structuredOutput: undefined, costUsd: 0.01, trouble: 'exit 1', last: null },
  broker: {
    ...{ answered: false, stopReason: null, refusal: null, failure: null, lengthSetByMoney: false },
    ...over.broker,
  },
  stoppedBy: over.stoppedBy ?? null,
  isTask: false,
  outputWanted: false,
});

describe('the outcome of a run', () => {
  it('is a failure when the CLI is content but no model was called', () => {
    // A prompt that the CLI answered by itself, as it does with its own commands.
    expect(outcomeOf(signals({}))).toMatchObject({ status: 'failed', code: 'cli_crashed' });
  });

  it('is a success when the model answered, whatever the CLI did afterwards', () => {
    expect(outcomeOf(signals({ broker: { answered: true } }))).toMatchObject({
      status: 'succeeded',
      finishReason: 'stop',
    });
  });

  it('is a success when the answer was whole before the deadline fired', () => {
    const outcome = outcomeOf(signals({ broker: { answered: true }, stoppedBy: 'timed_out' }));
    expect(outcome.status).toBe('succeeded');
  });

  it('names our own stop before the trouble that it caused upstream', () => {
    const broker = { failure: { status: null, message: 'This operation was aborted' } };
    expect(outcomeOf(signals({ broker, stoppedBy: 'cancelled' })).status).toBe('cancelled');
  });

  it('keeps the text of a run that failed', () => {
    const broker = { failure: { status: 500, message: 'x' } };
    expect(outcomeOf(signals({ broker }))).toMatchObject({ status: 'failed', text: 'some text' });
  });
});

describe('the outcome of a task', () => {
  const said = (subtype: string, isError = false) =>
    ({ subtype, is_error: isError }) as Signals['report']['last'];
  const task = (
    last: Signals['report']['last'],
    over: Omit<Partial<Signals>, 'broker'> & { broker?: object } = {},
  ) => {
    const usual = signals({ broker: { answered: true, stopReason: 'end_turn', ...over.broker } });
    const report = { ...usual.report, last, ...over.report };
    return outcomeOf({ ...usual, isTask: true, ...over, broker: usual.broker, report });
  };

  it.each([
    ['said so by the CLI and answered by the model', said('success'), {}, 'succeeded', undefined],
    ['called a success by the CLI that is an error', said('success', true), {}, 'failed', 'cli_crashed'],
    ['left without a last word', null, {}, 'failed', 'cli_crashed'],
    ['over its turns', said('error_max_turns'), {}, 'failed', 'max_turns'],
    [
      'refused by the model',
      said('success'),
      { broker: { stopReason: 'refusal' } },
      'failed',
      'model_refused',
    ],
    [
      'without the output that was wanted',
      said('success'),
      { outputWanted: true },
      'failed',
      'output_schema_failed',
    ],
    ['ended for its memory', null, { exceeded: 'memory' as const }, 'failed', 'out_of_memory'],
    ['ended for its disk', null, { exceeded: 'disk' as const }, 'failed', 'workspace_full'],
    ['stopped while it worked', null, { stoppedBy: 'cancelled' as const }, 'cancelled', undefined],
    [
      'out of money',
      said('success', true),
      { broker: { refusal: { kind: 'money' as const, message: 'too dear' } } },
      'budget_exceeded',
      undefined,
    ],
  ])('%s is told as that', (_, last, over, status, code) => {
    const outcome = task(last, over);
    expect([outcome.status, 'code' in outcome ? outcome.code : undefined]).toEqual([status, code]);
    expect(outcome.text).toBe('some text');
  });
});
