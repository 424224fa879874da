import { outcomeOf } from './outcome.js';

type Signals = Parameters<typeof outcomeOf>[0];
const signals = (over: {
  broker?: Partial<Signals['broker']>;
  stoppedBy?: Signals['stoppedBy'];
}): Signals => ({
  report: { text: 'some text', costUsd: 0.01, trouble: 'exit 1' },
  broker: {
    ...{ answered: false, stopReason: null, refusal: null, failure: null, lengthSetByMoney: false },
    ...over.broker,
  },
  stoppedBy: over.stoppedBy ?? null,
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
