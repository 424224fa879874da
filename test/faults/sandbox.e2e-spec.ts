import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ConfigError } from '@app/config';
import { type Box, Boxes } from '../support/boxes.js';
import { cleanUp, ServerProcess } from '../support/server-process.js';
import { gone, treeOf } from '../support/processes.js';

jest.setTimeout(90_000);

const MEBIBYTE = 1024 * 1024;
const PYTHON_EATS = `
import sys
held = []
print('up', flush=True)
while True: held.append(bytearray(b'x' * (8 << 20)))
`;
/** A process whose first thread has ended has neither memory nor files, as far as its own entry in /proc tells. */
const WITHOUT_FIRST_THREAD = (work: string) => `
import ctypes, os, threading, time
def work():
    time.sleep(1)
    ${work}
    time.sleep(60)
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)
`;
const FULL_SOCKETS = `
import socket
held = []
while True:
    pair = socket.socketpair()
    held.append(pair)
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        end.setblocking(False)
        try:
            while True: end.send(b'x' * 65536)
        except BlockingIOError: pass
`;

/** The broker's answer to a call with this token, through this socket. */
function answerOf(socketPath: string, token: string): Promise<number | string> {
  return new Promise((done) => {
    request({
      agent: false,
      socketPath,
      path: '/v1/messages',
      method: 'POST',
      headers: { 'x-api-key': token },
    })
      .on('response', (response) => done(response.resume().statusCode ?? 0))
      .on('error', (error: NodeJS.ErrnoException) => done(error.code ?? ''))
      .end('{}');
  });
}
const socketOf = ({ door }: Box) => ('socketPath' in door ? door.socketPath : '');

describe('a run that does harm', () => {
  let boxes: Boxes;
  let bystander: Box;
  beforeAll(async () => {
    boxes = await Boxes.choose('bubblewrap');
  });
  beforeEach(async () => {
    bystander = await boxes.start({ script: 'while read line; do echo "$line"; done' });
  });
  afterEach(async () => {
    // Others go on: the bystander still answers.
    bystander.child.stdin.write('still here\n');
    await boxes.said(bystander, 'still here');
    if (bystander.child.exceeded) throw new Error('a bystander was ended');
    await bystander.close();
  });
  afterAll(() => boxes.stop());

  async function ended(box: Box): Promise<string> {
    let tree = treeOf(box.child.pid as number);
    // bubblewrap, its first inside and the program.
    while (tree.length < 3) tree = await nextTurn(treeOf(box.child.pid as number));
    const { signal } = await box.ended;
    expect(await gone(tree, 2000)).toEqual([]);
    await box.close();
    return `${signal} ${box.child.exceeded}`;
  }

  it('9: that ignores SIGINT and SIGTERM ends with its box, at once', async () => {
    const box = await boxes.start({
      script: `trap '' INT TERM HUP QUIT; echo up; while :; do sleep 0.1; done`,
    });
    await boxes.said(box, 'up');
    const tree = treeOf(box.child.pid as number);
    const startedAt = performance.now();
    boxes.sandbox.kill(box.child);
    await box.ended;
    expect(await gone(tree, 2000)).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    await box.close();
  });

  it('10: that leaves a daemon behind ends it too, also when the program ends by itself', async () => {
    const box = await boxes.start({
      script: `(setsid bash -c '(trap "" TERM HUP; echo daemon; exec sleep 500) &' &); read -r _`,
    });
    await boxes.said(box, 'daemon');
    const tree = treeOf(box.child.pid as number);
    expect(tree.some(({ command }) => command.includes('sleep 500'))).toBe(true);
    box.child.stdin.end('\n');
    await box.ended;
    expect(await gone(tree, 1000)).toEqual([]);
    await box.close();
  });

  it('11: a fork bomb gets as many processes as it may, and nobody else notices', async () => {
    const box = await boxes.start({
      script: 'f() { f | f & }; f; sleep 2; echo over; sleep 1',
      processes: 100,
    });
    let most = 0;
    const count = setInterval(() => (most = Math.max(most, treeOf(box.child.pid as number).length)), 100);
    const startedAt = performance.now();
    const free = await boxes.run({
      script: 'for i in 1 2 3 4 5 6 7 8 9 10; do (true) || exit 1; done; echo free',
    });
    expect(free.output).toBe('free\n');
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await new Promise((done) => setTimeout(done, 1500));
    clearInterval(count);
    // The outer process is ours, the first inside is bubblewrap's: both count outside the limit or in it.
    expect(most).toBeGreaterThan(50);
    expect(most).toBeLessThanOrEqual(104);
    const tree = treeOf(box.child.pid as number);
    await box.close();
    expect(await gone(tree, 3000)).toEqual([]);
  });

  it.each([
    ['a program', `exec python3 -c "${PYTHON_EATS}"`],
    ['many programs', `for i in 1 2 3 4; do python3 -c "${PYTHON_EATS}" & done; wait`],
    [
      'shared memory',
      `python3 -c "import mmap; m = mmap.mmap(-1, 1 << 30); [m.write(b'x' * (1 << 20)) for _ in range(1024)]; input()"; sleep 9`,
    ],
    [
      'files in /tmp and HOME',
      'head -c 120M /dev/zero > /tmp/a; head -c 60M /dev/zero > ~/a; head -c 40M /dev/zero > /dev/shm/a; exec python3 -c "x = bytearray(b\'x\' * (150 << 20)); input()"',
    ],
    [
      'a program without its first thread',
      `exec python3 -c "${WITHOUT_FIRST_THREAD("x = bytearray(b'x' * (400 << 20))")}"`,
    ],
    ['what nobody reads from sockets', `exec python3 -c "${FULL_SOCKETS}"`],
    [
      'empty files',
      `cd /tmp; exec python3 -c "for i in range(400_000): open(str(i), 'w').close()\ninput()"; sleep 20`,
    ],
  ])('12: memory taken by %s ends the box as out of memory', async (_, script) => {
    const box = await boxes.start({ script, memoryBytes: 256 * MEBIBYTE });
    expect(await ended(box)).toBe('SIGKILL memory');
  });

  it('11: what a task computes goes after what others wait for', async () => {
    const task = await boxes.run({ script: 'nice', workspace: await boxes.workspace() });
    const completion = await boxes.run({ script: 'nice' });
    expect([task.output, completion.output]).toEqual(['10\n', '0\n']);
  });

  it('12: what others use is not counted: neither the host while the box is being made, nor another box', async () => {
    const script = 'sleep 0.6; echo fine';
    const made = await Promise.all(
      Array.from({ length: 6 }, () => boxes.run({ script, memoryBytes: 32 * MEBIBYTE })),
    );
    expect(made.map(({ output, child }) => [output, child.exceeded])).toEqual(
      made.map(() => ['fine\n', undefined]),
    );
  });

  it('12: memory that processes share is counted once', async () => {
    const script = `python3 -c "
import os, time
x = bytearray(b'x' * (100 << 20))
for _ in range(5):
    if os.fork() == 0: time.sleep(2); os._exit(0)
time.sleep(2); print('fine')"`;
    const box = await boxes.run({ script, memoryBytes: 256 * MEBIBYTE });
    expect([box.output, box.child.exceeded]).toEqual(['fine\n', undefined]);
  });

  it.each([
    ['one file', 'head -c 12M /dev/zero > a; head -c 12M /dev/zero > b; sleep 60'],
    [
      'files without a name',
      `python3 -c "
import os, time
held = []
for i in range(4):
    held.append(open('f', 'wb')); os.unlink('f')
    held[-1].write(b'x' * (8 << 20)); held[-1].flush()
time.sleep(60)"`,
    ],
    ['empty files', 'i=0; while :; do : > f$i; i=$((i+1)); done'],
    [
      'files behind links and in deep folders',
      'd=.; for i in $(seq 60); do d=$d/d; done; mkdir -p $d; ln -s / $d/out; head -c 12M /dev/zero > $d/a; head -c 12M /dev/zero > $d/b; sleep 60',
    ],
  ])('15: a workspace filled by %s ends the box as full', async (_, script) => {
    const workspace = await boxes.workspace(16 * MEBIBYTE);
    const box = await boxes.start({ script, workspace });
    expect(await ended(box)).toBe('SIGKILL disk');
  });

  it('15: a file larger than the quota is not written at all', async () => {
    const workspace = await boxes.workspace(16 * MEBIBYTE);
    const box = await boxes.run({
      script: 'head -c 17M /dev/zero > a 2>/dev/null; echo $?; stat -c %s a',
      workspace,
    });
    expect(box.output).toBe(`153\n${16 * MEBIBYTE}\n`);
  });

  it('15: what stays below is not ended, nor is a workspace that links to something large', async () => {
    const workspace = await boxes.workspace(16 * MEBIBYTE);
    await symlink('/usr', join(workspace.dir, 'usr'));
    const box = await boxes.run({ script: 'head -c 8M /dev/zero > a; sleep 2.5; echo fine', workspace });
    expect([box.output, box.child.exceeded]).toEqual(['fine\n', undefined]);
  });

  it('37: a socket that is removed or replaced never leads to another run', async () => {
    const [one, two] = [await boxes.start({ script: 'sleep 60' }), await boxes.start({ script: 'sleep 60' })];
    expect(await answerOf(socketOf(one), one.token)).toBe(400);
    expect(await answerOf(socketOf(one), two.token)).toBe(401);
    expect(await answerOf(socketOf(two), one.token)).toBe(401);
    await rm(socketOf(one));
    await symlink(socketOf(two), socketOf(one));
    expect(await answerOf(socketOf(one), one.token)).toBe(401);
    const content = { folder: one.folder, broker: one.door };
    await expect(boxes.sandbox.prepare(content)).rejects.toThrow('replaced');
    await one.close();
    // The end of the one did not close the other's.
    expect(await answerOf(socketOf(two), two.token)).toBe(400);
    const path = socketOf(two);
    await two.close();
    expect(await answerOf(path, two.token)).toBe('ENOENT');
  });

  it('37: a box keeps its own socket when the path outside goes away or leads elsewhere', async () => {
    const other = await boxes.start({ script: 'sleep 60' });
    const box = await boxes.start({
      script: `ask() { curl -s -o /dev/null -w '%{http_code}\\n' "$ANTHROPIC_BASE_URL/v1/messages" -d '{}' -H "x-api-key: $1"; }
        until ask $ANTHROPIC_API_KEY; do sleep 0.05; done; echo ready; read -r _; ask $ANTHROPIC_API_KEY; ask ${other.token}`,
    });
    await boxes.said(box, 'ready');
    await rename(socketOf(box), `${socketOf(box)}.away`);
    await symlink(socketOf(other), socketOf(box));
    box.child.stdin.end('\n');
    await box.ended;
    expect(box.output.trim().split('\n').slice(-2)).toEqual(['400', '401']);
    await box.close();
    await other.close();
  });

  it('36: when the broker is gone the box gets no answer, and none of another', async () => {
    const mortal = await Boxes.choose('bubblewrap');
    const box = await mortal.start({
      script: `until curl -s -o /dev/null "$ANTHROPIC_BASE_URL/v1/messages" -d '{}'; do sleep 0.05; done; echo ready; read -r _; curl -s "$ANTHROPIC_BASE_URL/v1/messages" -d '{}'; echo "exit $?"`,
    });
    await mortal.said(box, 'ready');
    await mortal.broker.onApplicationShutdown();
    box.child.stdin.end('\n');
    await box.ended;
    expect(box.output).toMatch(/exit (52|56)\n$/);
    await mortal.stop();
  });

  it('48: a workspace that is removed or replaced by a link during a run harms nothing else', async () => {
    const [workspace, other] = [await boxes.workspace(16 * MEBIBYTE), await boxes.workspace()];
    await writeFile(join(other.dir, 'theirs'), 'x'.repeat(32 * MEBIBYTE));
    const box = await boxes.start({ script: 'echo up; read -r _; ls -A; echo y > theirs; ls -A', workspace });
    await boxes.said(box, 'up');
    await rename(workspace.dir, `${workspace.dir}.away`);
    await symlink(other.dir, workspace.dir);
    await new Promise((done) => setTimeout(done, 2200));
    // The quota of the link's target is nobody's business here.
    expect(box.child.exceeded).toBeUndefined();
    box.child.stdin.end('\n');
    await box.ended;
    expect(box.output).toBe('up\ntheirs\n');
    expect(await readdir(other.dir)).toEqual(['theirs']);
    expect((await promisify(execFile)('wc', ['-c', join(other.dir, 'theirs')])).stdout).toMatch(/^33554432 /);
    await box.close();
    await rm(`${workspace.dir}.away`, { recursive: true });
    await rm(workspace.dir);
  });
});

describe('a machine whose bubblewrap does not work', () => {
  let bin: string;
  let home: string | undefined;
  const servers: ServerProcess[] = [];
  const path = process.env.PATH;
  beforeEach(async () => {
    bin = await mkdtemp(join(tmpdir(), 'bin-'));
    await chmod(bin, 0o755);
  });
  afterEach(async () => {
    process.env.PATH = path;
    if (home) await cleanUp(home, servers.splice(0));
    home = undefined;
    await rm(bin, { recursive: true });
  });

  async function pretend(script: string): Promise<void> {
    await writeFile(join(bin, 'bwrap'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env.PATH = `${bin}:${path}`;
  }
  const REFUSED = 'echo "bwrap: No permissions to create a new namespace" >&2; exit 1';

  it.each([
    ['is missing', 'PATH', 'apt-get install bubblewrap socat'],
    ['is refused user namespaces', REFUSED, 'sysctl kernel.unprivileged_userns_clone=1'],
    ['cannot mount /proc', `echo "bwrap: Can't mount proc on /newroot/proc" >&2; exit 1`, 'unmask'],
    ['is too old', 'echo "bwrap: Unknown option --disable-userns" >&2; exit 1', 'too old'],
    ['lets everything through', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"', '…'],
  ])('46: that %s: auto says weak and how to fix it, bubblewrap refuses to start', async (_, script, fix) => {
    if (script === 'PATH') process.env.PATH = bin;
    else await pretend(script);
    const auto = await Boxes.choose('auto');
    expect(auto.sandbox.isolation).toMatchObject({ level: 'weak', tasksRefused: expect.any(String) });
    if (fix !== '…') expect(auto.sandbox.isolation.tasksRefused).toContain(fix);
    await auto.stop();
    const chosen = Boxes.choose('bubblewrap');
    await expect(chosen).rejects.toThrow(ConfigError);
    await expect(chosen).rejects.toThrow(/^SANDBOX is bubblewrap, which does not work here: .+$/);
    const unboxed = await Boxes.choose('process');
    expect(unboxed.sandbox.isolation).toEqual({ level: 'weak', detail: expect.any(String) });
    await unboxed.stop();
  });

  it('46: the server says so in one line, or starts without and tells it everywhere', async () => {
    await pretend(REFUSED);
    home = await ServerProcess.temporaryHome();
    const PATH = process.env.PATH ?? '';
    const refusing = await ServerProcess.spawn(home, { SANDBOX: 'bubblewrap', PATH });
    expect(await refusing.exited()).toBe(1);
    // A launcher that had to build says that first.
    expect(refusing.output.trim()).toMatch(
      /^(building…\n)?claude-api: SANDBOX is bubblewrap, which .*user namespaces.*$/,
    );

    const weak = await ServerProcess.start(home, { PATH });
    servers.push(weak);
    expect(weak.output).toMatch(
      /isolation {2}weak \(.*\n {2}tasks {6}refused: the kernel refuses user namespaces/,
    );
    const { checks } = (await (await fetch(`${weak.url}/ready`)).json()) as Record<string, any>;
    expect(checks.isolation).toEqual({ ok: true, detail: expect.stringMatching(/^weak: [^/]*$/) });
    const doctor = await weak.cli('doctor', '--json');
    expect(JSON.parse(doctor.stdout).checks).toContainEqual({
      check: 'isolation',
      status: 'warn',
      detail: expect.stringMatching(/^weak: /),
      fix: expect.stringContaining('sysctl'),
    });
  });

  it('47: that begins to refuse at run time: the run fails, and never runs outside a box', async () => {
    const real = (await promisify(execFile)('bash', ['-c', 'command -v bwrap'])).stdout.trim();
    await pretend(`[ -e ${bin}/broken ] && { ${REFUSED}; }; exec ${real} "$@"`);
    const boxes = await Boxes.choose('bubblewrap');
    expect((await boxes.run({ script: 'echo inside' })).output).toBe('inside\n');
    await mkdir(join(bin, 'broken'));
    const workspace = await boxes.workspace();
    const failed = await boxes.run({ script: 'touch /workspace/ran; echo inside', workspace });
    expect([failed.code, failed.output]).toEqual([1, '']);
    expect(failed.errors).toContain('No permissions to create a new namespace');
    expect(await readdir(workspace.dir)).toEqual([]);
    await rm(join(bin, 'broken'), { recursive: true });
    expect((await boxes.run({ script: 'echo inside' })).output).toBe('inside\n');
    await boxes.stop();
  });
});
