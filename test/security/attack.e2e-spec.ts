import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Box, Boxes } from '../support/boxes.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

jest.setTimeout(120_000);

const SCRIPT = resolve(__dirname, '../fixtures/attack.py');
const OWN_BROKER = 'allowed: its own broker, with its own token';
/** Depend on what this machine's kernel and network have, also for an attacker with every right. */
const DEPENDS_ON_THE_MACHINE = [
  ...['network: vsock', 'network: the way to the metadata address', 'network: a device but lo'],
  ...['network: TCP on loopback, IPv6', 'device: disk', 'kernel: userfaultfd', 'kernel: io_uring'],
  ...['kernel: perf', 'kernel: bpf', 'kernel: load a module', 'kernel: characters for a terminal'],
  ...['kernel: sysrq', 'limit: dumps of memory', 'host file: kernel memory map', 'kernel: log'],
];
const root = process.getuid?.() === 0;
const SECRET = `canary-${randomBytes(8).toString('hex')}`;

async function listening(server: Server, where: object | string): Promise<Server> {
  server.listen(where as never);
  await once(server, 'listening');
  return server;
}
const portOf = (server: Server) => (server.address() as { port: number }).port;

/** One process that runs the attack, with the targets on its stdin: nothing of them is in its environment. */
async function attack(command: string, targets: object): Promise<Record<string, boolean>> {
  const child = spawn('bash', ['--norc', '-c', command], {
    env: { PATH: process.env.PATH },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(targets));
  let output = '';
  child.stdout.on('data', (piece) => (output += piece));
  await once(child, 'close');
  return JSON.parse(output);
}

describe('somebody hostile', () => {
  let boxes: Boxes;
  let neighbour: Box;
  let victim: ChildProcess;
  let database: TestDatabase;
  let host: string;
  const servers: Server[] = [];
  const udp = createSocket('udp4');
  let targets: Record<string, unknown>;
  let inside: Record<string, boolean>;
  let outside: Record<string, boolean>;

  beforeAll(async () => {
    boxes = await Boxes.choose('bubblewrap');
    database = await createTestDatabase();
    host = await mkdtemp(join(tmpdir(), 'attacked-'));
    await writeFile(join(host, 'home-file'), SECRET);
    const other = await boxes.workspace();
    await writeFile(join(other.dir, 'theirs.txt'), SECRET);
    const mark = `victim-${randomBytes(6).toString('hex')}`;
    const neighbourMark = `neighbour-${randomBytes(6).toString('hex')}`;
    neighbour = await boxes.start({
      script: `echo up; : ${neighbourMark}; sleep 300; true`,
      workspace: other,
    });
    await boxes.said(neighbour, 'up');
    victim = spawn('bash', ['-c', `: ${mark}; sleep 300; true`], {
      env: { PATH: process.env.PATH, SECRET },
      detached: true,
      cwd: host,
    });

    const [tcp, tcp6, abstract, file] = [0, 1, 2, 3].map(() => createServer((socket) => socket.end()));
    servers.push(await listening(tcp as Server, { port: 0, host: '127.0.0.1' }));
    await listening(tcp6 as Server, { port: 0, host: '::1' }).then(
      (up) => servers.push(up),
      () => undefined,
    );
    servers.push(await listening(abstract as Server, `\0attacked-${process.pid}`));
    servers.push(await listening(file as Server, join(host, 'socket')));
    udp.on('message', (_, from) => udp.send('pong', from.port)).bind(0, '127.0.0.1');
    await once(udp, 'listening');

    const workspace = await boxes.workspace(256 * 1024 * 1024);
    await copyFile(SCRIPT, join(workspace.dir, 'attack.py'));
    await copyFile('/usr/bin/id', join(workspace.dir, 'id'));
    targets = {
      secret: SECRET,
      other_workspace: join(other.dir, 'theirs.txt'),
      home_file: join(host, 'home-file'),
      runs: await boxes.folders.own(),
      ...{ victim_mark: mark, victim_pid: victim.pid, neighbour_mark: neighbourMark },
      postgres_port: Number(new URL(database.url).port),
      ...{
        tcp_port: portOf(tcp as Server),
        tcp6_port: servers.includes(tcp6 as Server) ? portOf(tcp6 as Server) : 1,
      },
      ...{ udp_port: udp.address().port, host_name: hostname() },
      ...{ abstract: `attacked-${process.pid}`, socket_file: join(host, 'socket') },
      other_broker: 'socketPath' in neighbour.door ? neighbour.door.socketPath : '',
    };
    const box = await boxes.start({
      script: 'cat > /tmp/targets; sleep 0.3; exec python3 /workspace/attack.py < /tmp/targets',
      workspace,
    });
    // After everything was given to the box's account: this one is the host's.
    if (root) await chown(join(workspace.dir, 'id'), 0, 0);
    await chmod(join(workspace.dir, 'id'), 0o4755);
    box.child.stdin.end(
      JSON.stringify({
        ...targets,
        setuid_id: '/workspace/id',
        scratch: '/workspace',
        program: '/opt/claude/claude',
      }),
    );
    await box.ended;
    if (box.errors) throw new Error(box.errors);
    inside = JSON.parse(box.output);

    const scratch = join(host, 'scratch');
    await mkdir(scratch);
    const program = join(host, 'program');
    await writeFile(program, '');
    outside = await attack(`exec python3 ${SCRIPT}`, {
      ...targets,
      ...{ setuid_id: join(workspace.dir, 'id'), scratch, program },
    });
  });
  afterAll(async () => {
    victim.kill('SIGKILL');
    if (victim.pid) process.kill(-victim.pid, 'SIGKILL');
    for (const server of servers) server.close();
    udp.close();
    await boxes.stop();
    await database.drop();
    await rm(host, { recursive: true });
  });

  it('inside the box gets at nothing but its own broker', () => {
    expect(Object.keys(inside).length).toBeGreaterThan(60);
    const succeeded = Object.keys(inside).filter((name) => inside[name]);
    expect(succeeded).toEqual([OWN_BROKER]);
  });

  it('outside succeeds with the very same probes: they do work', () => {
    const failed = Object.keys(outside).filter((name) => !outside[name]);
    const expected = [OWN_BROKER, ...DEPENDS_ON_THE_MACHINE];
    if (root) expect(failed.filter((name) => !expected.includes(name))).toEqual([]);
    else expect(Object.keys(outside).length - failed.length).toBeGreaterThan(20);
  });

  it('inside finds no credential and nothing of ours in its environment', async () => {
    const box = await boxes.run({ script: 'env; cat /proc/*/environ | tr "\\0" "\\n"' });
    expect(box.output).toContain(box.token);
    expect(box.output).not.toMatch(/sk-ant-|CLAUDE_API_|DATABASE_URL|KEY_PEPPER|AUDIT_KEY|npm_|JEST_/);
    expect(
      await readFile(join(boxes.home, 'key-pepper'), 'utf8').then((pepper) => box.output.includes(pepper)),
    ).toBe(false);
  });
});
