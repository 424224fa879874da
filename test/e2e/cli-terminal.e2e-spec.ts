import { CliProcess } from '../support/cli-process.js';
import { turns, uses } from '../support/scripted-turns.js';
import { screenOf } from '../support/screen.js';
import { cleanEnvironment, runCli } from '../support/server-process.js';
import { TaskApi } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(120_000);

const WIDE = 200;
const NARROW = 60;
/** Control characters that no program of ours writes, and sequences of another kind than ours. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const FOREIGN = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[)/g;
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const COMMANDS = /\u001b\[[^A-Za-z]*[A-Za-z]/g;
const SPINNER = /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏-] {2}/;

describe('claude-api on a terminal', () => {
  let service: TestService;
  let api: TaskApi;
  let env: Record<string, string>;
  let running: CliProcess | undefined;
  const start = (columns: number, ...args: string[]) => (running = CliProcess.onTerminal(env, columns, args));
  /** What the status line said, without spinner, time and cost, each thing once. */
  const told = (frames: string[]) => [
    ...new Set(frames.filter((frame) => SPINNER.test(frame)).map((frame) => activity(frame))),
  ];
  const activity = (frame: string) => frame.replace(SPINNER, '').replace(/ · .*$/, '');

  beforeAll(async () => {
    service = await startTestService();
    const { key } = await service.key();
    api = new TaskApi(service.url, key);
    env = cleanEnvironment(service.config.home, {
      ...{ CLAUDE_API_URL: service.url, CLAUDE_API_KEY: key, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    });
    await runCli(env, ['--version']); // builds when the build is stale
  }, 180_000);
  afterEach(() => running?.stop());
  afterAll(() => service.stop());

  it('rewrites one line while a task is at work, and leaves nothing of it', async () => {
    service.model.script = turns([
      uses('Bash', { command: 'sleep 1; echo one' }),
      { thinking: 'hm', text: 'All is\nwell.', chunks: 8, chunkDelayMs: 150 },
    ]);
    const { code, stdout: raw } = await start(WIDE, 'tasks', 'run', 'x', '--model', 'haiku').ended();
    expect(code).toBe(0);
    const { lines, frames } = screenOf(raw, WIDE);
    expect(lines).toEqual([
      'All is',
      'well.',
      expect.stringMatching(/^succeeded · [\d.]+ s · \$0\.\d+ · claude-haiku-5-5 · task_[0-9a-f]{32}$/),
    ]);
    expect(told(frames)).toEqual(
      expect.arrayContaining(['started with claude-haiku-5-5', 'Bash  sleep 1; echo one', 'writing']),
    );
    expect(frames.some((frame) => / · \d\.\d s · \$0\.\d{4}$/.test(frame))).toBe(true);
    // The cursor is back.
    expect(raw.lastIndexOf('\u001b[?25h')).toBeGreaterThan(raw.lastIndexOf('\u001b[?25l'));
  });

  it('never shows what a model or a file would do to the terminal, and never a line that is too wide', async () => {
    const evil = '\u001b]0;owned\u0007\u009b31m\u001b[2Jowned';
    const wide = 'wide 漢字漢字漢字漢字漢字漢字漢字漢字 and long';
    service.model.script = turns([
      uses('Bash', { command: `sleep 1; echo ${wide}` }),
      uses('Write', { file_path: `a${evil}.txt`, content: 'x' }),
      { text: `${evil}\rover` },
    ]);
    const { stdout: raw } = await start(NARROW, 'tasks', 'run', evil).ended();
    expect(raw.match(FOREIGN)).toBeNull();
    const commands = new Set(raw.match(COMMANDS));
    const ours = ['?25l', '?25h', '?2026h', '?2026l', '1G', '0K', '36m', '39m'].map(
      (each) => `\u001b[${each}`,
    );
    expect([...commands].filter((command) => !ours.includes(command))).toEqual([]);
    const { frames } = screenOf(raw, NARROW);
    expect(told(frames)).toContain('Write  a]0;owned31m[2Jowned.txt');
    expect(told(frames)).toContainEqual(expect.stringMatching(/^Bash {2}sleep 1; echo wide 漢.*…$/));
    const widths = frames.map((frame) =>
      [...frame].reduce((sum, each) => sum + (each > '\u2e80' ? 2 : 1), 0),
    );
    expect(Math.max(...widths)).toBeLessThan(NARROW);
  });

  it('cancels the task when Ctrl-C is typed, and says so', async () => {
    service.model.script = turns([uses('Bash', { command: 'sleep 300' })]);
    const run = start(WIDE, 'tasks', 'run', 'x');
    await run.says('sleep 300', 'stdout');
    run.type('\u0003');
    const { code, stdout: raw } = await run.ended();
    expect(code).toBe(130);
    const { lines } = screenOf(raw.replace('^C', ''), WIDE);
    expect(lines.filter(Boolean)).toEqual([
      'cancelling; Ctrl-C again leaves at once',
      expect.stringMatching(/^cancelled · .* · task_[0-9a-f]{32}$/),
      'error: the task is cancelled',
    ]);
    const id = /task_[0-9a-f]{32}$/m.exec(lines.join('\n'))![0];
    expect((await api.show(id)).status).toBe('cancelled');
  });

  it('shows the model and the time until the first word of a completion, and only then the answer', async () => {
    service.model.script = () => ({
      text: 'The whole answer.',
      chunks: 4,
      chunkDelayMs: 300,
      thinking: 'hm, hm, hm',
    });
    const { code, stdout: raw } = await start(WIDE, 'complete', 'hello', '--model', 'haiku').ended();
    expect(code).toBe(0);
    const { lines, frames } = screenOf(raw, WIDE);
    expect(lines).toEqual([
      'The whole answer.',
      expect.stringMatching(/^claude-haiku-5-5 · 12 in, 7 out · /),
    ]);
    expect(told(frames)).toContain('started with claude-haiku-5-5');
    expect(frames.some((frame) => frame.includes('The'))).toBe(false);
  });
});
