import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliProcess } from '../support/cli-process.js';
import { plays, turns, uses } from '../support/scripted-turns.js';
import { cleanEnvironment, runCli } from '../support/server-process.js';
import { severableUrl } from '../support/severable-url.js';
import { TaskApi } from '../support/task-api.js';
import { startTestService, type TestService } from '../support/test-service.js';

jest.setTimeout(120_000);

const NOBODY = 'http://127.0.0.1:1';

describe('claude-api tasks', () => {
  let service: TestService;
  let api: TaskApi;
  let env: Record<string, string>;
  let operator: Record<string, string>;
  const started: CliProcess[] = [];
  const opened: (() => unknown)[] = [];
  const cli = (...args: string[]) => runCli(env, ['tasks', ...args]);
  const start = (args: string[], more = {}) => {
    started.push(CliProcess.start({ ...env, ...more }, ['tasks', ...args]));
    return started.at(-1)!;
  };

  const open = async (server: Server) => {
    opened.push(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  beforeAll(async () => {
    service = await startTestService();
    const { key } = await service.key();
    api = new TaskApi(service.url, key);
    const { home } = service.config;
    env = cleanEnvironment(home, { CLAUDE_API_URL: service.url, CLAUDE_API_KEY: key });
    // Whoever can read the home folder; no server is to be found.
    operator = cleanEnvironment(home, {
      CLAUDE_API_HOME: home,
      DATABASE_URL: service.databaseUrl,
      CLAUDE_API_URL: NOBODY,
    });
    await runCli(env, ['--version']); // builds when the build is stale
  }, 180_000);
  afterEach(async () => {
    for (const child of started.splice(0)) child.stop();
    for (const close of opened.splice(0)) await close();
    service.model.reset();
  });
  afterAll(() => service.stop());

  describe('run', () => {
    it('tells what the task does, line by line, and ends with its result', async () => {
      service.model.script = turns([
        uses('Grep', { pattern: 'claude-code' }),
        uses('Write', { file_path: 'report.md', content: 'found\n' }),
        { thinking: 'hm', text: 'All is well.' },
      ]);
      const options = ['--file', 'package.json', '--allow-tool', 'Grep', 'Write', '--model', 'haiku'];
      const { code, stdout, stderr } = await cli('run', 'look', ...options, '--allow-agent', 'none');
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'All is well.\n' });
      const lines = stderr.trimEnd().split('\n');
      const done = lines.map((line) => line.replace(/^[\d.]+ s {2}(\$[\d.]+ {2})?/, ''));
      expect(done).toEqual([
        expect.stringMatching(/^task_[0-9a-f]{32}$/),
        'waiting, number 1 in line',
        'started with claude-haiku-5-5',
        'Grep  claude-code',
        'Write  report.md',
        'thinking',
        'writing',
        expect.stringMatching(/^succeeded · [\d.]+ s · \$0\.\d+ · claude-haiku-5-5 · task_/),
        expect.stringMatching(/^artifact: report\.md, 6 bytes: http.*\/artifacts\/report\.md$/),
        expect.stringMatching(/^fetch it: curl .*\/artifacts\.zip$/),
      ]);
      expect(lines.find((line) => line.endsWith('Write  report.md'))).toMatch(/ s {2}\$0\.\d{4} {2}Write/);
      const task = await api.show(done[0]!);
      expect(task.effective_policy).toMatchObject({ tools: ['Grep', 'Write'], agents: [] });
      expect(task.execution_log.find(({ type }: any) => type === 'tool_result').result).toContain('package');
    });

    it('prints the finished task as one JSON value', async () => {
      service.model.script = turns([{ text: 'As data.' }]);
      const { code, stdout, stderr } = await cli('run', 'x', '--json', '--allow-tool', 'none');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        object: 'task',
        status: 'succeeded',
        result: { output: 'As data.' },
      });
      expect(stderr).not.toContain('succeeded ·');
    });

    it('says every reason of a refusal, and what the model was denied', async () => {
      const { key } = await service.key('free');
      const asked = [
        'run',
        'x',
        '--allow-tool',
        'Bash',
        '--allow-tool',
        'Write',
        '--allow-agent',
        'test-writer',
      ];
      const refused = await runCli({ ...env, CLAUDE_API_KEY: key }, ['tasks', ...asked]);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr.trim().split('\n')).toHaveLength(1);
      for (const what of ['tool Bash', 'tool Write', 'test-writer']) expect(refused.stderr).toContain(what);

      service.model.script = turns([uses('Bash', { command: 'id' }), { text: 'I may not.' }]);
      const denied = await cli('run', 'x', '--allow-tool', 'Read');
      expect(denied).toMatchObject({ code: 0, stdout: 'I may not.\n' });
      expect(denied.stderr).toMatch(/^denied: .*Bash/m);
    });

    it('fails with the reason in one line, and keeps what was said', async () => {
      service.model.script = () => uses('Glob', { pattern: '*' });
      const { code, stderr } = await cli('run', 'x', '--max-turns', '1', '--allow-tool', 'Glob');
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error: the task failed: .+ \(max_turns\)$/m);
    });

    it.each([
      ['an unknown option', ['run', 'x', '--fast'], "unknown option '--fast'"],
      ['no description', ['run'], "missing required argument 'description'"],
      ['a file that is not there', ['run', 'x', '--file', '/nowhere/a'], 'cannot read /nowhere/a (ENOENT)'],
      ['a schema that is none', ['run', 'x', '--output-schema', 'README.md'], 'does not hold a JSON object'],
      ['a project beside a key', ['list', '--project', 'a'], '--project is for the operator'],
      ['a status that is none', ['list', '--status', 'done'], 'status must be one of'],
    ])('refuses %s with exit code 2', async (_, args, line) => {
      const { code, stdout, stderr } = await cli(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(line);
    });

    it.each([
      ['nobody answers', { CLAUDE_API_URL: NOBODY }, 'start it with "npm start"'],
      ['the key is wrong', { CLAUDE_API_KEY: 'cc_sk_wrong' }, 'a valid API key is needed'],
      ['there is no key', { CLAUDE_API_KEY: '' }, 'CLAUDE_API_KEY is not set'],
    ])('says in one line that %s', async (_, wrong, line) => {
      const { code, stdout, stderr } = await runCli({ ...env, ...wrong }, ['tasks', 'run', 'x']);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^error: .+\n$/);
      expect(stderr).toContain(line);
    });
  });

  it('lead a task through its life: detached, listed, shown, told and cancelled', async () => {
    service.model.script = turns([uses('Bash', { command: 'sleep 300' })]);
    const detached = await cli('run', 'a long\none', '--detach');
    expect(detached).toMatchObject({ code: 0, stderr: '' });
    const id = detached.stdout.trim();
    await api.atWork(id);
    const listed = await cli('list', '--status', 'running');
    expect(listed.stdout).toMatch(new RegExp(`^${id} +running +.* a long one$`, 'm'));
    expect((await cli('show', id)).stdout).toMatch(/^status +running$/m);
    const told = await cli('logs', id, '--after', '1');
    expect(told.stdout).toMatch(/^[-\d]+ [:.\d]+ {2}started +started with claude-/);
    expect(told.stdout).toMatch(/ tool_call +Bash {2}sleep 300$/m);

    expect(await cli('cancel', id)).toEqual({ code: 0, stdout: 'cancelled\n', stderr: '' });
    expect(await cli('cancel', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ended already'),
    });
    const events = (await cli('logs', '-f', id, '--json')).stdout.trim().split('\n');
    expect(events.map((line) => JSON.parse(line))).toEqual(await api.events(id));
    expect(await cli('logs', '-f', id, '--after', '99')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it.each([['show'], ['cancel'], ['logs'], ['logs', '-f']])(
    'say that there is no such task: %s %s',
    async (...verb) => {
      const id = `task_${'0'.repeat(32)}`;
      const { code, stdout } = await cli(...verb, id, '--json');
      expect(code).toBe(1);
      expect(JSON.parse(stdout).error).toMatchObject({ code: 'not_found', message: 'there is no such task' });
    },
  );

  it('are shown to the operator without a server, those of every project', async () => {
    service.model.script = turns([{ text: 'mine' }]);
    const { key } = await service.key('enterprise', 'red');
    const id = await new TaskApi(service.url, key).submit({ description: 'of red\u001b[31m' });
    await new TaskApi(service.url, key).ended(id);
    const asOperator = (...args: string[]) => runCli(operator, ['tasks', ...args]);
    const all = await asOperator('list');
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout).toMatch(new RegExp(`^${id} +red +succeeded .*of red\\[31m$`, 'm'));
    const red = JSON.parse((await asOperator('list', '--project', 'red', '--limit', '5', '--json')).stdout);
    expect(red.data.map(({ id: each, project_id }: any) => [each, project_id])).toEqual([[id, 'red']]);
    expect((await asOperator('list', '--project', 'none')).stdout).toBe('');
    expect((await asOperator('show', id)).stdout).toMatch(/^project +red$[^]+\n\nmine\n$/m);
    const told = (await asOperator('logs', id, '--json')).stdout.trim().split('\n');
    expect(told.map((line) => JSON.parse(line).type)).toEqual(expect.arrayContaining(['queued', 'result']));
    expect(await asOperator('list', '--status', 'done')).toMatchObject({ code: 2 });
    for (const live of [
      ['cancel', id],
      ['logs', '-f', id],
    ]) {
      const { code, stderr } = await asOperator(...live);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^error: CLAUDE_API_KEY is not set.*\n$/),
      });
    }
    expect((await cli('show', id)).code).toBe(1); // of another project
  });

  describe('when they are interrupted', () => {
    it.each([
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const)('are really cancelled: %s', async (signal, code) => {
      service.model.script = turns([uses('Bash', { command: 'sleep 300' })]);
      const run = start(['run', 'x', '--json']);
      await run.says('Bash  sleep 300');
      run.signal(signal);
      const ended = await run.ended();
      expect(ended.code).toBe(code);
      const task = JSON.parse(ended.stdout);
      expect(ended.stderr).toContain('cancelling; Ctrl-C again leaves at once\n');
      expect(task.status).toBe('cancelled');
      expect((await api.show(task.id)).status).toBe('cancelled');
    });

    it('leave a task alone whose log is only read', async () => {
      service.model.script = turns([uses('Bash', { command: 'sleep 300' })]);
      const id = await api.submit();
      const logs = start(['logs', '-f', id]);
      await logs.says('sleep 300', 'stdout');
      logs.signal('SIGINT');
      expect((await logs.ended()).code).toBe(130);
      expect((await api.show(id)).status).toBe('running');
      await api.cancel(id);
    });

    it('leave at once the second time, though the server does not answer', async () => {
      const silent = createServer(({ method, url }, response) => {
        if (method === 'POST' && url === '/v1/tasks') response.writeHead(202).end('{"id":"task_1"}');
        else if (method === 'GET') response.writeHead(200).write(': still here\n\n');
      });
      const run = start(['run', 'x'], { CLAUDE_API_URL: await open(silent) });
      await run.says('task_1');
      run.signal('SIGINT');
      await run.says('cancelling');
      run.signal('SIGINT');
      expect((await run.ended()).code).toBe(130);
    });
  });

  describe('when the connection is cut', () => {
    it('go on where they were, without gap or repeat', async () => {
      service.model.script = plays({
        cut: [
          uses('Bash', { command: 'echo one' }),
          uses('Bash', { command: 'sleep 4; echo two' }),
          { text: 'Three.' },
        ],
      });
      const way = await severableUrl(service.url);
      opened.push(way.sever, way.close);
      const run = start(['run', 'cut: x'], { CLAUDE_API_URL: way.url });
      await run.says('echo one');
      const id = /task_[0-9a-f]{32}/.exec(run.stderr)![0];
      const logs = start(['logs', '-f', '--json', id], { CLAUDE_API_URL: way.url });
      await run.says('echo two');
      await logs.says('echo two', 'stdout');
      way.sever();
      await Promise.all([run.says('trying again'), logs.says('trying again')]);
      way.mend();
      const [ran, read] = await Promise.all([run.ended(), logs.ended()]);
      expect(ran).toMatchObject({ code: 0, stdout: 'Three.\n' });
      expect(ran.stderr.match(/Bash {2}.*/g)).toEqual(['Bash  echo one', 'Bash  sleep 4; echo two']);
      expect(read.code).toBe(0);
      expect(
        read.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ).toEqual(await api.events(id));
    });

    it('make one task of a request whose answer was lost', async () => {
      service.model.script = turns([{ text: 'Once.' }]);
      let lost = 0;
      const forgetful = createServer(async (request, response) => {
        const pieces: Buffer[] = [];
        for await (const piece of request) pieces.push(piece);
        const { method, url = '', headers } = request;
        const answer = await fetch(service.url + url, {
          method,
          headers: { ...(headers as Record<string, string>), connection: 'close' },
          body: method === 'POST' ? Buffer.concat(pieces) : undefined,
        });
        if (method === 'POST' && lost++ === 0) return void response.destroy();
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        for await (const piece of answer.body!) response.write(piece);
        response.end();
      });
      const run = start(['run', 'only one of these'], { CLAUDE_API_URL: await open(forgetful) });
      expect(await run.ended()).toMatchObject({ code: 0, stdout: 'Once.\n' });
      expect(lost).toBe(2);
      const listed = JSON.parse((await cli('list', '--json', '--limit', '200')).stdout).data;
      expect(listed.filter(({ description }: any) => description === 'only one of these')).toHaveLength(1);
    });
  });
});
