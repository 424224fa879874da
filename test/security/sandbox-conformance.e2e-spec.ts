import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processesOf } from '../../libs/executor/src/sandbox/process-table.js';
import { Boxes } from '../support/boxes.js';
import { gone, processes, treeOf } from '../support/processes.js';

jest.setTimeout(60_000);

const MEBIBYTE = 1024 * 1024;
const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length;

describe.each(['process', 'bubblewrap'] as const)('the %s sandbox', (choice) => {
  let boxes: Boxes;
  beforeAll(async () => {
    boxes = await Boxes.choose(choice);
  });
  afterAll(() => boxes.stop());

  it('runs a program with its arguments, stdin, both outputs and its exit code', async () => {
    const box = await boxes.run(
      {
        script: '',
        args: ['-c', 'cat; echo "$1|$2" >&2; exit 7', 'bash', 'a b', '$(id) `id` *'],
      },
      'over stdin',
    );
    expect(box.output).toBe('over stdin');
    expect(box.errors).toContain('a b|$(id) `id` *');
    expect(box.code).toBe(7);
  });

  it('passes 64 MiB of stdin and of stdout unchanged', async () => {
    const box = await boxes.start({ script: 'exec cat', unread: true });
    const hashes = [createHash('sha256'), createHash('sha256')];
    const piece = Buffer.alloc(MEBIBYTE, 'abcdefg');
    void (async () => {
      for (let sent = 0; sent < 64; sent += 1) {
        hashes[0]?.update(piece);
        if (!box.child.stdin.write(piece)) await once(box.child.stdin, 'drain');
      }
      box.child.stdin.end();
    })();
    for await (const chunk of box.child.stdout) hashes[1]?.update(chunk);
    expect(hashes[1]?.digest('hex')).toBe(hashes[0]?.digest('hex'));
    await box.close();
  });

  it('makes a program wait whose output nobody reads (fault 13)', async () => {
    const workspace = await boxes.workspace();
    const script = 'while printf %065536d 0; do printf . >&2; done';
    const box = await boxes.start({ script, workspace, unread: true });
    await once(box.child.stderr, 'data');
    let before = -1;
    while (before !== box.errors.length) {
      before = box.errors.length;
      await sleep(300);
    }
    // A pipe and a stream's buffer, not all that it has to say.
    expect(box.errors.length * 65_536).toBeLessThan(16 * MEBIBYTE);
    await box.close();
    expect(await box.ended).toMatchObject({ signal: 'SIGKILL' });
  });

  it('shows the places that it names', async () => {
    const workspace = await boxes.workspace();
    const box = await boxes.run({
      workspace,
      script:
        'echo "$PWD|$HOME|$TMPDIR|$CLAUDE_CONFIG_DIR"; for d in "$HOME" "$TMPDIR" "$CLAUDE_CONFIG_DIR" .; do touch "$d/x" && echo ok; done; pwd -P',
    });
    const view = boxes.sandbox.view({ folder: box.folder, workspace, broker: box.door });
    const [first, ...rest] = box.output.trim().split('\n');
    expect(first).toBe([view.workDir, view.home, view.tmpDir, view.configDir].join('|'));
    expect(rest).toEqual(['ok', 'ok', 'ok', 'ok', view.workDir]);
    // What was written into the workspace is there afterwards; all else is gone.
    expect(existsSync(join(workspace.dir, 'x'))).toBe(true);
    expect(existsSync(box.folder.root)).toBe(false);
  });

  it('gives an environment of allow-listed variables and what the run needs, nothing of ours', async () => {
    process.env.DATABASE_PASSWORD_CANARY = 'canary';
    const box = await boxes.run({ script: 'env -0 | cut -z -d= -f1 | tr "\\0" " "', env: { EXTRA: '1' } });
    delete process.env.DATABASE_PASSWORD_CANARY;
    const allowed =
      /^(PATH|HOME|TMPDIR|LANG|LC_ALL|TZ|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|PWD|OLDPWD|SHLVL|_|EXTRA|ANTHROPIC_(BASE_URL|API_KEY)|CLAUDE_CONFIG_DIR)$/;
    const names = box.output.trim().split(' ');
    expect(names).toEqual(expect.arrayContaining(['PATH', 'HOME', 'EXTRA']));
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
  });

  it('reaches the broker with the token of its run, and only with that', async () => {
    const ask = (token: string) =>
      `until code=$(curl -s -o /dev/null -w '%{http_code}' "$ANTHROPIC_BASE_URL/v1/messages" -d '{}' -H "x-api-key: ${token}"); do sleep 0.05; done; echo $code;`;
    const box = await boxes.run({ script: ask('$ANTHROPIC_API_KEY') + ask('run-another') });
    expect(box.output).toBe('400\n401\n');
  });

  it('kills what ignores SIGTERM and what went into the background (faults 9 and 10)', async () => {
    const workspace = await boxes.workspace();
    const setsid = choice === 'bubblewrap' ? 'setsid' : '';
    const box = await boxes.start({
      workspace,
      script: `trap '' TERM INT HUP; (trap '' TERM; ${setsid} sleep 300; true) & (${setsid} bash -c 'trap "" TERM; (sleep 301; true) & sleep 302; true' &) ; echo up; sleep 303; true`,
    });
    await boxes.said(box, 'up');
    const tree = treeOf(box.child.pid as number);
    for (; tree.filter(({ command }) => /sleep 30[0-3]/.test(command)).length < 4; await sleep(20)) {
      tree.splice(0, tree.length, ...treeOf(box.child.pid as number));
      // Without a process namespace an orphan is adopted by init.
      if (choice === 'process')
        tree.push(...processes().filter(({ command }) => /sleep 30[12]/.test(command)));
    }
    const startedAt = performance.now();
    boxes.sandbox.kill(box.child);
    expect(await box.ended).toMatchObject({ signal: 'SIGKILL' });
    expect((await gone(tree, 3000)).map(({ command }) => command)).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(() => boxes.sandbox.kill(box.child)).not.toThrow();
    await box.close();
  });

  it('leaves nothing of a run that is killed at any moment of its start', async () => {
    const mark = `started-${choice}-${process.pid}`;
    const starts = Array.from({ length: 60 }, async (_, index) => {
      await sleep(index * 15);
      const box = await boxes.start({ script: `: ${mark}; sleep 401; true` });
      await sleep((index * 7) % 45);
      await box.close();
      return box.ended;
    });
    expect(await Promise.all(starts)).toHaveLength(60);
    const left = processes().filter(({ command }) => command.includes(mark) || /sleep 401/.test(command));
    expect((await gone(left, 3000)).map(({ command }) => command)).toEqual([]);
    // One that has no program yet has no name yet either.
    const own = await boxes.folders.own();
    expect(await processesOf(own)).toEqual([]);
  });

  it('leaves no process, mount or folder, however a run ends', async () => {
    const before = {
      mounts: mounts(),
      folders: readdirSync(await boxes.folders.own()).filter((n) => n.startsWith('run_')),
    };
    const ends = await Promise.all([
      boxes.run({ script: 'true' }),
      boxes.run({ script: 'sleep 400 & exit 3' }),
      boxes.run({ script: 'kill -9 $$' }),
      boxes.run({ script: '', command: '/nonexistent/claude' }),
    ]);
    expect(ends.map(({ code }) => code === 0)).toEqual([true, false, false, false]);
    const left = () => processes().filter(({ command }) => /sleep 400/.test(command));
    expect(await gone(left(), 2000)).toEqual([]);
    expect(mounts()).toBe(before.mounts);
    expect(readdirSync(await boxes.folders.own()).filter((n) => n.startsWith('run_'))).toEqual(
      before.folders,
    );
  });
});

describe('the bubblewrap sandbox, beyond that,', () => {
  let boxes: Boxes;
  beforeAll(async () => {
    boxes = await Boxes.choose('bubblewrap');
  });
  afterAll(() => boxes.stop());

  it('is strong, and says so without a path', () => {
    expect(boxes.sandbox.isolation).toEqual({ level: 'strong', detail: expect.not.stringContaining('/') });
  });

  it('shows two boxes at once nothing of each other', async () => {
    const workspaces = [await boxes.workspace(), await boxes.workspace()];
    const script = (name: string) =>
      `echo ${name} > /workspace/me; echo ${name} > /tmp/me; echo ${name} > ~/me; sleep 1; cat /workspace/me /tmp/me ~/me; ls /proc | grep -c '^[0-9]'; hostname`;
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name, index) => boxes.run({ script: script(name), workspace: workspaces[index] })),
    );
    expect(one?.output).toMatch(/^one\none\none\n\d\nclaude\n$/);
    expect(two?.output).toMatch(/^two\ntwo\ntwo\n\d\nclaude\n$/);
  });

  it('has what tools need: git, node, python, a compiler, /etc/passwd, fifos, threads', async () => {
    const workspace = await boxes.workspace();
    const box = await boxes.run({
      workspace,
      script: `set -e
        git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log --oneline | wc -l
        node -e 'new (require("worker_threads").Worker)("require(\\"fs\\").writeFileSync(\\"/tmp/w\\",\\"\\")",{eval:true}).on("exit",c=>console.log("node",c))'
        python3 -c 'import multiprocessing as m, subprocess; print("python", sum(m.Pool(2).map(abs, [-1, -2])), subprocess.run(["true"]).returncode)'
        echo 'int main(){return 0;}' > a.c && gcc a.c -o a && ./a && echo gcc
        mkfifo f && (echo fifo > f &) && cat f
        whoami; id -u; echo x | socat - STDOUT`,
    });
    expect(box.errors).toBe('');
    expect(box.output).toBe('1\nnode 0\npython 3 0\ngcc\nfifo\nclaude\n1000\nx\n');
  });

  it('has files of the box’s account in a workspace that the service can read and remove', async () => {
    const workspace = await boxes.workspace();
    const box = await boxes.run({ workspace, script: 'umask 077; mkdir d; echo x > d/f; stat -c %U d/f' });
    expect(box.output).toBe('claude\n');
    expect(readFileSync(join(workspace.dir, 'd/f'), 'utf8')).toBe('x\n');
    const { uid } = statSync(join(workspace.dir, 'd/f'));
    expect(uid === 0).toBe(false);
  });

  it('does not follow a link when it takes over a workspace', async () => {
    const [workspace, other] = [await boxes.workspace(), await boxes.workspace()];
    const { symlink, writeFile } = await import('node:fs/promises');
    await writeFile(join(other.dir, 'theirs'), 'x');
    await symlink(other.dir, join(workspace.dir, 'link'));
    await boxes.run({ workspace, script: 'true' });
    expect(statSync(join(other.dir, 'theirs')).uid).toBe(process.getuid?.());
  });

  it('lets a read-only workspace be read, not written', async () => {
    const workspace = await boxes.workspace(MEBIBYTE, false);
    const { writeFile } = await import('node:fs/promises');
    await writeFile(join(workspace.dir, 'given'), 'x');
    const box = await boxes.run({
      workspace,
      script: 'cat given; echo y > given || echo refused; touch z || echo refused',
    });
    expect(box.output).toBe('xrefused\nrefused\n');
  });
});
