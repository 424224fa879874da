import { closestName } from './closest-name.js';

describe('what was probably meant', () => {
  it.each([
    ['bash', 'Bash'],
    ['Raed', 'Read'],
    ['Grp', 'Grep'],
    ['Globb', 'Glob'],
    ['READ', 'Read'],
  ])('%s is %s', (name, meant) => {
    expect(closestName(name, ['Read', 'Grep', 'Glob', 'Bash'])).toBe(meant);
  });

  it.each(['', 'x', 'Fly', 'Execute', 'security auditor please', 'x'.repeat(100_000)])(
    '%s is nothing',
    (name) => {
      expect(closestName(name, ['Read', 'Bash', 'security-auditor'])).toBeUndefined();
    },
  );

  it('is the one with the fewest mistakes', () => {
    expect(closestName('reviewr', ['reviewers', 'reviewer'])).toBe('reviewer');
  });
});
