import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import type { AppConfig } from '@app/config';
import { Ecosystem } from './ecosystem.service.js';
import { SkillStore } from './skill-store.js';

const FIXTURE = resolve(__dirname, '../../../test/fixtures/claude-config');

class HandClock extends Clock {
  ms = 0;
  override now = () => new Date(0);
  override monotonicMs = () => this.ms;
}

beforeAll(() => Logger.overrideLogger(false));

describe('the ecosystem', () => {
  let root: string;
  let config: AppConfig;
  let clock: HandClock;
  let ecosystem: Ecosystem;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ecosystem-'));
    await cp(FIXTURE, join(root, 'config'), { recursive: true });
    config = { home: join(root, 'home'), claudeConfigDir: join(root, 'config') } as AppConfig;
    clock = new HandClock();
    ecosystem = new Ecosystem(config, clock, new SkillStore(config));
  });
  afterEach(async () => {
    await ecosystem.onModuleDestroy();
    await rm(root, { recursive: true });
  });

  const inConfig = (path: string) => join(config.claudeConfigDir, path);
  const agent = (name: string) => `---\nname: ${name}\ndescription: x\n---\nDo it.\n`;
  const namesLater = async () => {
    clock.ms += 2000;
    const { agents, skills } = await ecosystem.catalogue();
    return [...agents.keys(), ...skills.keys()];
  };

  it('offers the agents and skills of the folder, and says what they do not get', async () => {
    const { agents, skills, findings } = await ecosystem.catalogue();
    expect([...agents.keys()]).toEqual(['security-auditor', 'test-writer', 'wants-everything']);
    expect([...skills.keys()]).toEqual(['changelog', 'grants-bash']);
    expect(findings).toEqual([
      {
        path: 'agents/wants-everything.md',
        problem: 'asks for what it does not get: permissionMode, hooks, mcpServers, tools: *',
      },
      {
        path: 'skills/grants-bash',
        problem: 'asks for what it does not get: allowed-tools, hooks, !`command`',
      },
    ]);
  });

  it('gives a skill as a copy in the home folder, with its files and without what was stripped', async () => {
    const { skills } = await ecosystem.catalogue();
    const { dir } = skills.get('changelog')!;
    expect(relative(config.home, dir)).toMatch(/^skills\/[0-9a-f]{64}$/);
    expect(await readdir(dir, { recursive: true })).toEqual(
      expect.arrayContaining(['SKILL.md', 'references/format.md']),
    );
    expect((await stat(join(dir, 'SKILL.md'))).mode & 0o222).toBe(0);
    expect(await readFile(join(skills.get('grants-bash')!.dir, 'SKILL.md'), 'utf8')).not.toMatch(
      /allowed-tools|hooks|!`|```!/,
    );
  });

  it('reuses a copy as long as nothing has changed, in another process too', async () => {
    const first = (await ecosystem.catalogue()).skills.get('changelog')!.dir;
    const { ino } = await stat(first);
    const other = new Ecosystem(config, new HandClock(), new SkillStore(config));
    expect((await other.catalogue()).skills.get('changelog')!.dir).toBe(first);
    expect((await stat(first)).ino).toBe(ino);
    expect(await readdir(join(config.home, 'skills'))).toHaveLength(2);
  });

  it('makes a copy again that somebody has removed', async () => {
    const { dir } = (await ecosystem.catalogue()).skills.get('changelog')!;
    await rename(dir, `${dir}-gone`);
    await namesLater();
    expect(await readdir(dir)).toContain('SKILL.md');
  });

  it('sees what was added, changed and removed, two seconds later', async () => {
    const before = (await ecosystem.catalogue()).skills.get('changelog')!.dir;
    await mkdir(inConfig('agents/team'));
    await writeFile(inConfig('agents/team/added.md'), agent('added'));
    await rm(inConfig('agents/test-writer.md'));
    await writeFile(inConfig('skills/changelog/references/format.md'), 'another format');
    expect((await ecosystem.catalogue()).agents.has('added')).toBe(false);
    expect(await namesLater()).toEqual([
      'security-auditor',
      'added',
      'wants-everything',
      'changelog',
      'grants-bash',
    ]);
    expect((await ecosystem.catalogue()).skills.get('changelog')!.dir).not.toBe(before);
  });

  it('hands out the same catalogue as long as nothing has changed', async () => {
    const before = await ecosystem.catalogue();
    clock.ms += 10_000;
    expect(await ecosystem.catalogue()).toBe(before);
  });

  it('is empty without a folder, and sees it come', async () => {
    await rename(config.claudeConfigDir, `${config.claudeConfigDir}-away`);
    expect(await ecosystem.catalogue()).toMatchObject({ findings: [] });
    expect(await namesLater()).toEqual([]);
    await rename(`${config.claudeConfigDir}-away`, config.claudeConfigDir);
    expect(await namesLater()).toHaveLength(5);
  });

  it('takes a folder that is itself a link, and follows none in it', async () => {
    await symlink(config.claudeConfigDir, join(root, 'link'));
    await rename(inConfig('skills'), join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), inConfig('skills'));
    const linked = { ...config, claudeConfigDir: join(root, 'link') };
    const other = new Ecosystem(linked, clock, new SkillStore(linked));
    const { agents, skills, findings } = await other.catalogue();
    expect([agents.size, skills.size]).toEqual([3, 0]);
    expect(findings).toContainEqual({ path: 'skills', problem: 'is a link' });
  });

  it('offers the agents when copies of skills cannot be made', async () => {
    await writeFile(config.home, 'a file where the folder should be');
    const { agents, skills, findings } = await ecosystem.catalogue();
    expect([agents.size, skills.size]).toEqual([3, 0]);
    expect(findings).toContainEqual({ path: 'skills/changelog', problem: 'cannot be used (ENOTDIR)' });
  });
});
