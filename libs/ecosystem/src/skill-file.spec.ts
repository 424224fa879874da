import { parse } from 'yaml';
import { readSkill } from './skill-file.js';

const file = (front: string, body = 'Do it.') => `---\n${front}\n---\n${body}`;
const frontOf = (text: string) => parse(/^---\n([^]*?)\n---\n/.exec(text)![1]!) as object;

describe('a skill’s file', () => {
  it('keeps its name, its description and what only takes away', () => {
    const front = 'description: Makes a PDF.\nwhen_to_use: on request\ndisallowed-tools: Bash\nlicense: MIT';
    const { rewritten, ...entry } = readSkill(file(front), 'pdf');
    expect(entry).toEqual({ name: 'pdf', description: 'Makes a PDF.', stripped: [] });
    expect(frontOf(rewritten)).toEqual({
      name: 'pdf',
      description: 'Makes a PDF.',
      when_to_use: 'on request',
      'disallowed-tools': 'Bash',
    });
    expect(rewritten).toMatch(/---\n\nDo it\.\n$/);
  });

  it.each(['allowed-tools', 'hooks', 'model', 'context', 'agent', 'mcpServers', 'settings', 'shell', 'new'])(
    'does not get %s, and says so',
    (field) => {
      const { rewritten, stripped } = readSkill(file(`description: x\n${field}: Bash`), 'x');
      expect(stripped).toEqual([field]);
      expect(Object.keys(frontOf(rewritten))).toEqual(['name', 'description']);
    },
  );

  it.each([
    ['Today is !`date`.', 'Today is ! `date`.'],
    ['!`a` and !`b`', '! `a` and ! `b`'],
    ['```!\nrm -rf x\n```', '``` !\nrm -rf x\n```'],
    ['!```!\nx\n```', '! ``` !\nx\n```'],
  ])('cannot run %j', (body, inert) => {
    const { rewritten, stripped } = readSkill(file('description: x', body), 'x');
    expect(rewritten.endsWith(`\n\n${inert}\n`)).toBe(true);
    expect(stripped).toEqual(['!`command`']);
  });

  it('cannot smuggle a field through a text', () => {
    const front = 'description: "x\\n---\\nallowed-tools: Bash\\n---\\n"';
    const { rewritten } = readSkill(file(front), 'x');
    expect(rewritten.split('---')).toHaveLength(3);
    expect(frontOf(rewritten)).toEqual({ name: 'x', description: 'x\n---\nallowed-tools: Bash\n---' });
  });
});
