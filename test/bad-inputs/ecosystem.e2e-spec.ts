import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { type Catalogue, Ecosystem, EcosystemModule } from '@app/ecosystem';

const GOOD = '---\nname: good\ndescription: Is as it should be.\n---\nDo it.\n';
const GOOD_SKILL = '---\ndescription: Is as it should be.\n---\nDo it.\n';
const BOMB = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
  .split('')
  .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(', ')}]`)
  .join('\n')}`;

/** sandbox-security.md section 6, "Agent, skill, settings, MCP files": the folder is read by the real service. */
describe('files of the operator’s folder', () => {
  let root: string;
  let module: TestingModule | undefined;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bad-ecosystem-'));
    await put('agents/good.md', GOOD);
    await put('skills/good/SKILL.md', GOOD_SKILL);
  });
  afterEach(async () => {
    await module?.close();
    await rm(root, { recursive: true });
  });

  async function put(path: string, content: string | Buffer): Promise<string> {
    const full = join(root, 'config', path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, content);
    return full;
  }

  async function read(): Promise<Catalogue> {
    const config = loadConfig(
      {},
      { CLAUDE_API_HOME: join(root, 'home'), CLAUDE_CONFIG_DIR: join(root, 'config') },
    );
    module = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(config), EcosystemModule],
    }).compile();
    await module.init();
    return module.get(Ecosystem).catalogue();
  }

  /** The good ones are offered, this one is not, and the report says why. */
  async function isLeftOut(path: string, problem: string) {
    const { agents, skills, findings } = await read();
    expect([[...agents.keys()], [...skills.keys()]]).toEqual([['good'], ['good']]);
    expect(findings).toEqual([{ path, problem: expect.stringContaining(problem) }]);
  }

  it.each([
    ['a YAML bomb', BOMB],
    ['an alias', 'a: &a x\ndescription: *a'],
    ['a tag', 'description: !!js/function "function () { process.exit(1) }"'],
    ['a tag of YAML', 'description: !!binary aGVsbG8='],
    ['a merge key', 'base: &b { description: x }\n<<: *b'],
    ['a broken line', 'description: a: b'],
    ['a key twice', 'description: a\ndescription: b'],
    ['deep nesting', `description: ${'{a: '.repeat(5000)}`],
  ])('row 86: front matter with %s is left out', async (_, yaml) => {
    await put('agents/bad.md', `---\n${yaml}\n---\nDo it.\n`);
    await isLeftOut('agents/bad.md', 'plain YAML without tags and aliases');
  });

  it.each([
    ['10 MB of front matter', `---\ndescription: ${'x'.repeat(10_000_000)}\n---\nDo it.`, 'is larger than'],
    [
      '1 MB of front matter',
      `---\ndescription: ${'x'.repeat(1_000_000)}\n---\nDo it.`,
      'characters of front',
    ],
    ['no front matter', '# An agent\n\nDo it.', 'has no front matter'],
    ['nothing in it', '', 'has no front matter'],
    [
      'front matter that is code',
      '---js\n{ description: process.exit(1) }\n---\nDo it.',
      'has no front matter',
    ],
    ['bytes that are not UTF-8', Buffer.from('---\ndescription: \xff\xfe\n---\nx', 'latin1'), 'is not UTF-8'],
    ['the name of another one', GOOD, 'which another one has already'],
  ])('row 86: a file with %s is left out', async (_, content, problem) => {
    await put('agents/other.md', content);
    await isLeftOut('agents/other.md', problem);
  });

  it('row 86: a byte order mark and CRLF change nothing', async () => {
    await put('agents/windows.md', `\ufeff${GOOD.replace('good', 'windows').replaceAll('\n', '\r\n')}`);
    const { agents, findings } = await read();
    expect(agents.get('windows')).toEqual({ ...agents.get('good'), name: 'windows' });
    expect(findings).toEqual([]);
  });

  it('row 87: an agent that asks for everything is offered without it, and that is told', async () => {
    const front =
      'name: greedy\ndescription: x\ntools: "*"\npermissionMode: bypassPermissions\nhooks: {}\nmcpServers: {}';
    await put('agents/greedy.md', `---\n${front}\n---\nDo it.\n`);
    const { agents, findings } = await read();
    const asked = ['permissionMode', 'hooks', 'mcpServers', 'tools: *'];
    expect(agents.get('greedy')).toEqual({
      ...{ name: 'greedy', description: 'x', prompt: 'Do it.', model: undefined },
      ...{ withoutTools: [], stripped: asked },
    });
    expect(findings).toEqual([
      { path: 'agents/greedy.md', problem: `asks for what it does not get: ${asked.join(', ')}` },
    ]);
  });

  it('row 87: a skill that grants Bash is offered without the grant, and that is told', async () => {
    await put('skills/sly/SKILL.md', GOOD_SKILL.replace('---\nDo', 'allowed-tools: Bash\n---\nDo'));
    const { skills, findings } = await read();
    const offered = await readFile(join(skills.get('sly')!.dir, 'SKILL.md'), 'utf8');
    expect(offered).toBe('---\nname: "sly"\ndescription: "Is as it should be."\n---\n\nDo it.\n');
    expect(findings).toEqual([
      { path: 'skills/sly', problem: 'asks for what it does not get: allowed-tools' },
    ]);
  });

  it.each(['../../x', '/etc', 'a/b', 'a b', '-x', 'x'.repeat(65)])(
    'row 88: the skill name %j is left out',
    async (name) => {
      await put('skills/bad/SKILL.md', `---\nname: "${name}"\ndescription: x\n---\nDo it.`);
      await isLeftOut('skills/bad', 'has a name other than');
    },
  );

  it('row 88: of 1,000 skills the first 500 are offered, within seconds', async () => {
    for (let index = 1000; index < 1999; index++) await put(`skills/s${index}/SKILL.md`, GOOD_SKILL);
    const started = performance.now();
    const { skills, findings } = await read();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(skills.size).toBe(500);
    expect(findings).toEqual([{ path: 'skills', problem: expect.stringContaining('more than 500') }]);
  });

  it('row 88: a folder that is a link is left out', async () => {
    await put('../elsewhere/SKILL.md', GOOD_SKILL);
    await symlink(join(root, 'elsewhere'), join(root, 'config/skills/linked'));
    await isLeftOut('skills/linked', 'is a link');
  });

  it('row 88: an agent and a SKILL.md that are links are left out', async () => {
    await put('../secret.md', GOOD.replace('good', 'secret'));
    await symlink(join(root, 'secret.md'), join(root, 'config/agents/secret.md'));
    await mkdir(join(root, 'config/skills/bad'));
    await symlink(join(root, 'secret.md'), join(root, 'config/skills/bad/SKILL.md'));
    const { agents, skills, findings } = await read();
    expect([agents.size, skills.size]).toEqual([1, 1]);
    expect(findings.map(({ path, problem }) => `${path} ${problem}`)).toEqual([
      'agents/secret.md is a link',
      'skills/bad/SKILL.md is a link',
      'skills/bad has no SKILL.md that is a regular file',
    ]);
  });

  it('row 88: a file that is a link is not in the copy of its skill', async () => {
    await put('../secret', 'CANARY');
    await symlink(join(root, 'secret'), join(root, 'config/skills/good/secret'));
    const { skills, findings } = await read();
    await expect(readFile(join(skills.get('good')!.dir, 'secret'))).rejects.toThrow('ENOENT');
    expect(findings).toEqual([{ path: 'skills/good/secret', problem: 'is a link' }]);
  });

  it('row 88: a FIFO is not waited for', async () => {
    const fifo = join(root, 'config/skills/bad/SKILL.md');
    await mkdir(dirname(fifo));
    execFileSync('sh', ['-c', 'mkfifo "$@"', 'sh', fifo, join(root, 'config/agents/bad.md')]);
    const { agents, skills, findings } = await read();
    expect([agents.size, skills.size]).toEqual([1, 1]);
    expect(findings.map(({ path }) => path)).toEqual(['agents/bad.md', 'skills/bad/SKILL.md', 'skills/bad']);
  });

  it.each([
    ['skills/bad/SKILL.md', 'skills/bad', 'has more than'],
    ['agents/bad.md', 'agents/bad.md', 'is larger than'],
  ])('row 88: a sparse file of 1 GB is not read: %s', async (file, path, problem) => {
    await truncate(await put(file, GOOD), 1024 ** 3);
    await isLeftOut(path, problem);
  });

  it('row 88: a skill of too many files or folders is left out', async () => {
    await put('skills/deep/SKILL.md', GOOD_SKILL);
    await put(`skills/deep/${'d/'.repeat(20)}x`, 'x');
    await put('skills/wide/SKILL.md', GOOD_SKILL);
    for (let index = 0; index < 200; index++) await put(`skills/wide/${index}`, 'x');
    const { skills, findings } = await read();
    expect([...skills.keys()]).toEqual(['good']);
    expect(findings.map(({ path }) => path)).toEqual(['skills/deep', 'skills/wide']);
  });

  it('row 89: the commands in the text of a skill are text in its copy', async () => {
    await put(
      'skills/shell/SKILL.md',
      `${GOOD_SKILL}Now !\`touch canary\`:\n\n\`\`\`!\ntouch canary\n\`\`\`\n`,
    );
    const { skills } = await read();
    const offered = await readFile(join(skills.get('shell')!.dir, 'SKILL.md'), 'utf8');
    expect(offered).toContain('Now ! `touch canary`:\n\n``` !\ntouch canary\n```');
    expect(offered).not.toMatch(/!`|```!/);
    expect(skills.get('shell')!.stripped).toEqual(['!`command`']);
  });
});
