import { MODEL_FAMILIES, type ModelFamily } from '@app/common';
import { routeModel } from './model-routing.js';

const LOREM = 'The committee met on Tuesday and heard three reports about the harbour. '.repeat(40);
const CODE = '```ts\nexport function add(a: number, b: number) {\n  return a + b;\n}\n```';

const CASES: Record<ModelFamily, string[]> = {
  haiku: [
    'What is the capital of Australia?',
    'hi',
    'Translate to French: good morning, everyone',
    'Translate the word "proof" into German.',
    `Translate the following architecture document into Spanish:\n\n${LOREM}`,
    `${LOREM}\n\nSummarize the above in two sentences.`,
    `Extract all e-mail addresses from this text:\n${LOREM}`,
    'Classify this ticket as bug, question or feature: "the app deadlocks when I press save"',
    'Classify the sentiment: "The security audit was a joy to read."',
    'Convert this CSV to JSON:\nname,age\nada,36\nalan,41',
    'Could you please reformat these dates as ISO 8601: 3 May 2021, 7/8/2022',
    'Who wrote The Master and Margarita?',
    'How many ounces are in a pound?',
    'Fix the spelling: teh qick brwon fox',
    'Proofread this paragraph and return only the corrected version. I has been working their since 2019.',
    'What is the latest version of Ubuntu?',
    'Who won the contest last year?',
    'Which officer did they designate?',
    'Where can I buy a waterproof jacket?',
    'What is a good prefix for phone numbers in Improvement Street?',
    'Is this review positive or negative? "Took forever to arrive, but great quality."',
    'List all the countries that border Switzerland.',
  ],
  sonnet: [
    'Write a Python function that returns the n-th Fibonacci number.',
    `Refactor this to take any number of arguments:\n${CODE}`,
    `Why does this throw?\n\nTraceback (most recent call last):\n  File "a.py", line 3, in <module>\nKeyError: 'x'`,
    'Explain how a hash map works to a first-year student.',
    'Compare PostgreSQL and MySQL for a small web shop.',
    'Write a blog post about working from home with two cats.',
    'Draft an e-mail to a customer whose parcel was lost, and offer a refund.',
    'Implement a debounce helper in TypeScript with unit tests.',
    `Add unit tests for this function:\n${CODE}`,
    'Write a regex that matches ISO 8601 dates.',
    'Suggest five names for a bakery near the sea and say what each one evokes.',
    `Read the minutes below and tell me how the members seem to feel about one another.\n${LOREM}`,
    'Improve the wording of our landing page so that small teams see what the product does for them within five seconds. We sell a calendar that knows school holidays, and most of our visitors come from parenting forums and leave quickly.',
    'Write a short story about a designated driver in the latest contest.',
    'How does TLS session resumption work?',
    'Outline a talk about gardening on a balcony.',
  ],
  opus: [
    'Prove that the square root of 2 is irrational.',
    'Give a proof by induction that the sum of the first n odd numbers is n squared.',
    'Design a distributed rate limiter that stays exact when a region fails, and discuss the trade-offs.',
    'Design a multi-tenant database schema for a billing platform with usage-based prices.',
    'Act as a security reviewer. Write a threat model for an API that runs code of its users.',
    `Review this function for vulnerabilities and say how each could be exploited:\n${CODE}`,
    'We see a deadlock under load between the order worker and the invoice worker. Find the root cause from the description: both take row locks on customer and order, in an order that depends on the queue; retries run in the same transaction.',
    'Derive the closed form of the recurrence T(n) = 2T(n/2) + n log n.',
    'Propose an architecture for moving a monolith with 4 million lines to services with zero downtime.',
    'Compare Raft and Paxos as consensus protocols for a control plane; think carefully about reconfiguration.',
    'Plan a migration strategy from one Postgres to a sharded one.\n1. Say what can go wrong.\n2. Order the steps.\n3. Say how each one is rolled back.',
    'Find a counterexample or prove the lemma: every bounded sequence of integers has a constant subsequence.',
    'Our login compares tokens with ===. Is a timing attack practical over the internet? Explain with numbers.',
  ],
};

describe('the model for "auto"', () => {
  for (const family of MODEL_FAMILIES) {
    it.each(CASES[family])(`is ${family} for: %s`, (prompt) => {
      expect(routeModel({ prompt }, MODEL_FAMILIES)).toMatchObject({ family });
    });
  }

  it('is tried on at least 40 prompts, 8 for each family', () => {
    expect(Object.values(CASES).flat().length).toBeGreaterThanOrEqual(40);
    for (const family of MODEL_FAMILIES) expect(CASES[family].length).toBeGreaterThanOrEqual(8);
  });

  it('comes with its reasons', () => {
    expect(routeModel({ prompt: 'Translate to French: good morning' }, MODEL_FAMILIES).reasons).toEqual([
      'short prompt',
      'asks for a translation',
    ]);
  });

  it('is small when the system prompt makes every request a classification', () => {
    const system = 'You are a support desk.\nClassify the message as billing, technical or other.';
    const prompt = 'Your architecture page says zero downtime, yet I was charged twice and nobody answers.';
    expect(routeModel({ prompt, system }, MODEL_FAMILIES).family).toBe('haiku');
  });

  it('is larger when a long answer is wanted', () => {
    const prompt = 'Write a guide to the harbour for new members of the committee.';
    expect(routeModel({ prompt }, MODEL_FAMILIES).family).toBe('sonnet');
    expect(routeModel({ prompt: `${prompt} ${LOREM}`, maxTokens: 32_000 }, MODEL_FAMILIES).family).toBe(
      'opus',
    );
  });

  it.each<[string, ModelFamily[], ModelFamily, string]>([
    ['Prove that there are infinitely many primes.', ['haiku', 'sonnet'], 'sonnet', 'opus is not allowed'],
    ['Prove that there are infinitely many primes.', ['haiku'], 'haiku', 'opus is not allowed'],
    ['What is the capital of Peru?', ['sonnet', 'opus'], 'sonnet', 'haiku is not allowed'],
    ['What is the capital of Peru?', ['opus'], 'opus', 'haiku is not allowed'],
    ['Write a blog post about cats at work.', ['opus', 'haiku'], 'haiku', 'sonnet is not allowed'],
  ])('stays within what is allowed: %s %j', (prompt, allowed, family, reason) => {
    const routed = routeModel({ prompt }, allowed);
    expect(routed.family).toBe(family);
    expect(routed.reasons.at(-1)).toContain(reason);
  });

  it.each(['a', ' ', '\n', '1. x\n', 'first then ', '```', '"', 'design a ', 'at x ('])(
    'takes constant time for 1 MiB of %j',
    (unit) => {
      const prompt = unit.repeat(1_048_576 / unit.length);
      const start = performance.now();
      routeModel({ prompt, system: prompt }, MODEL_FAMILIES);
      expect(performance.now() - start).toBeLessThan(250);
    },
  );
});
