import { readAgent } from './agent-file.js';

const file = (front: string, body = 'You review code.') => `---\n${front}\n---\n\n${body}\n`;
const read = (front: string) => readAgent(file(front), 'from-the-file');

describe('an agent’s file', () => {
  it('gives its name, description, instructions, tools and model', () => {
    expect(
      read('name: reviewer\ndescription: Reviews.\ntools: Read, Grep\ndisallowedTools: [Bash]\nmodel: opus'),
    ).toEqual({
      name: 'reviewer',
      description: 'Reviews.',
      prompt: 'You review code.',
      tools: ['Read', 'Grep'],
      withoutTools: ['Bash'],
      model: 'opus',
      stripped: [],
    });
  });

  it('is named for its file when it does not say', () => {
    expect(read('description: Reviews.')).toMatchObject({ name: 'from-the-file' });
  });

  it('gives no tools of its own when it does not say, and none when it says none', () => {
    expect(read('description: x').tools).toBeUndefined();
    expect(read('description: x\ntools: []').tools).toEqual([]);
    expect(read('description: x\ntools: ""').tools).toEqual([]);
  });

  it.each(['"*"', '["*"]', 'Read, *', '[Read, "mcp__*"]'])('does not get tools: %s', (tools) => {
    const agent = read(`description: x\ntools: ${tools}`);
    expect(agent.tools).toBeUndefined();
    expect(agent.stripped).toEqual(['tools: *']);
  });

  it.each([
    ['permissionMode', 'permissionMode: bypassPermissions'],
    ['hooks', 'hooks: { PreToolUse: [] }'],
    ['mcpServers', 'mcpServers: [github]'],
    ['skills', 'skills: [deploy]'],
    ['initialPrompt', 'initialPrompt: /config x=y'],
    ['background', 'background: true'],
    ['memory', 'memory: user'],
    ['isolation', 'isolation: remote'],
    ['a-field-of-tomorrow', 'a-field-of-tomorrow: 1'],
  ])('does not get %s, and says so', (field, line) => {
    const agent = read(`description: x\n${line}`);
    expect(agent.stripped).toEqual([field]);
    expect(Object.keys(agent)).not.toContain(field);
  });

  it('says nothing of fields that do nothing', () => {
    expect(read('description: x\ncolor: red\nversion: 2').stripped).toEqual([]);
  });

  it.each([
    ['no front matter', 'You review code.', 'has no front matter'],
    ['front matter that does not end', '---\ndescription: x\nYou review code.', 'has no front matter'],
    ['front matter in another language', '---js\nprocess.exit(1)\n---\nx', 'has no front matter'],
    ['no description', file('name: x'), 'has no description'],
    ['a description that is no text', file('description: [a]'), 'has no description'],
    ['no instructions', file('description: x', ' '), 'has no instructions'],
    ['a name that is a path', file('name: ../../x\ndescription: x'), 'has a name other than'],
    ['a name that is an option', file('name: --x\ndescription: x'), 'has a name other than'],
    ['a name that is no text', file('name: {}\ndescription: x'), 'has a name other than'],
    ['front matter without fields', file('just a text'), 'has front matter without fields'],
  ])('is left out with %s', (_, text, problem) => {
    expect(() => readAgent(text, 'x')).toThrow(problem);
  });
});
