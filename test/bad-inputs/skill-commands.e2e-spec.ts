import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { query } from '@anthropic-ai/claude-agent-sdk';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { Ecosystem, EcosystemModule } from '@app/ecosystem';
import { ModelStandIn } from '../support/model-stand-in.js';

const FIXTURE = resolve(__dirname, '../fixtures/claude-config');

/**
 * sandbox-security.md section 6, row 89, with the real CLI and nothing else around it: what the copy of a skill
 * takes away is taken away without the help of any setting. The control shows that the canaries do sing.
 */
describe('the commands of a skill', () => {
  let root: string;
  let model: ModelStandIn;
  let module: TestingModule;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    root = await mkdtemp(join(tmpdir(), 'skill-commands-'));
    model = await ModelStandIn.start();
    const config = loadConfig({}, { CLAUDE_API_HOME: join(root, 'home'), CLAUDE_CONFIG_DIR: FIXTURE });
    module = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(config), EcosystemModule],
    }).compile();
    await module.init();
  });
  afterAll(async () => {
    await module.close();
    await model.stop();
    await rm(root, { recursive: true });
  });

  /** Invokes the skill in a folder of its own. Returns the files made there and what the model was told. */
  async function invoke(name: string, skillDir: string) {
    const [plugin, work, home] = [`${name}/plugin`, `${name}/work`, `${name}/home`].map((path) =>
      join(root, path),
    ) as [string, string, string];
    for (const folder of [join(plugin, '.claude-plugin'), work, home])
      await mkdir(folder, { recursive: true });
    await writeFile(join(plugin, '.claude-plugin/plugin.json'), JSON.stringify({ name: 'granted' }));
    await cp(skillDir, join(plugin, 'skills/grants-bash'), { recursive: true });
    model.reset();
    model.script = (_, call) =>
      call === 1 ? { tools: [{ name: 'Skill', input: { skill: 'granted:grants-bash' } }] } : { text: 'done' };
    const run = query({
      prompt: 'Use the skill.',
      options: {
        cwd: work,
        model: 'claude-haiku-5-5',
        tools: ['Skill', 'Bash'],
        allowedTools: ['Skill'],
        skills: ['grants-bash'],
        plugins: [{ type: 'local', path: plugin }],
        settingSources: [],
        permissionMode: 'dontAsk',
        persistSession: false,
        env: {
          PATH: process.env.PATH,
          HOME: home,
          CLAUDE_CONFIG_DIR: home,
          ANTHROPIC_BASE_URL: model.url,
          ANTHROPIC_API_KEY: 'sk-ant-canary',
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        },
      },
    });
    for await (const message of run) if (message.type === 'result') break;
    return {
      made: (await readdir(work)).toSorted(),
      told: JSON.stringify(model.journal.at(-1)?.body.messages),
    };
  }

  it('row 89: run as the file has them (control)', async () => {
    const { made } = await invoke('control', join(FIXTURE, 'skills/grants-bash'));
    expect(made).toEqual(expect.arrayContaining(['skill-block-canary', 'skill-command-canary']));
  });

  it('row 89: are text in the copy that tasks get', async () => {
    const { skills } = await module.get(Ecosystem).catalogue();
    const { made, told } = await invoke('copy', skills.get('grants-bash')!.dir);
    expect(made).toEqual([]);
    expect(told).toContain('! `touch skill-command-canary`');
  });
});
