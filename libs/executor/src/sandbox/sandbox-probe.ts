import { setTimeout as sleep } from 'node:timers/promises';
import type { BubblewrapSandbox } from './bubblewrap-sandbox.js';
import type { RunFolders } from './run-folders.js';

const PROBE_TIMEOUT_MS = 10_000;
/** Together less than the probe may take. */
const LOOKS = 100;
const LOOK_EVERY_MS = 20;
const MEBIBYTE = 1024 * 1024;
const INSTALL = 'install bubblewrap and socat: apt-get install bubblewrap socat';

/** What the box has to say of itself, line by line, before anybody relies on it. */
const FACTS = `
[ "$(id -u)" = 1000 ] || echo 'its user is not its own'
grep -q '^CapEff:.0*$' /proc/self/status || echo 'it keeps privileges'
grep -q '^NoNewPrivs:.1' /proc/self/status || echo 'privileges can be gained'
grep -q '^Seccomp:.2' /proc/self/status || echo 'its filter is not in force'
[ "$(grep -c : /proc/net/dev)" = 1 ] || echo 'it has a network'
[ ! -w / ] && [ ! -w /usr ] && [ ! -w /etc ] || echo 'it can write to the system'
[ -x "$(command -v socat)" ] || echo '${INSTALL}'
echo done
read -r _
`;

/** bubblewrap's words, and what to do. Its own line is for those that nobody has met yet. */
const KNOWN: [RegExp, string][] = [
  [/ENOENT/, INSTALL],
  [
    /creating new namespace failed|No permissions to creat|setting up uid map|user namespace/i,
    'the kernel refuses user namespaces: allow them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces=10000), or see docs/deployment/sandbox.md for containers',
  ],
  [/mount proc/i, 'the container hides parts of /proc: unmask them, see docs/deployment/sandbox.md'],
  [/prlimit/, 'install util-linux, whose prlimit sets the limits: apt-get install util-linux'],
  [/unknown option/i, 'bubblewrap is too old: 0.8 or later is needed'],
];

/** Starts a real box and asks it. Undefined = all walls stand; else one line without a path of a run. */
export async function troubleOf(
  sandbox: BubblewrapSandbox,
  folders: RunFolders,
): Promise<string | undefined> {
  const folder = await folders.make(`probe-${process.pid}-${process.hrtime.bigint()}`);
  try {
    sandbox.brokerSocket(folder);
    return await ask(sandbox, folder);
  } catch (error) {
    return explain(String((error as Error).message));
  } finally {
    await folders.remove(folder);
  }
}

async function ask(
  sandbox: BubblewrapSandbox,
  folder: Awaited<ReturnType<RunFolders['make']>>,
): Promise<string | undefined> {
  const content = { folder, broker: { url: '' } };
  await sandbox.prepare(content);
  const limits = { memoryBytes: 256 * MEBIBYTE, processes: 64 };
  const box = sandbox.spawn({ ...content, command: '/bin/sh', args: ['-c', FACTS], env: {}, limits });
  const timer = setTimeout(() => sandbox.kill(box), PROBE_TIMEOUT_MS);
  let said = '';
  let complaint = '';
  let watched = false;
  const look = async () => {
    watched = await isSeen(() => sandbox.memoryOf(box));
    box.stdin.end('\n');
  };
  box.stderr.setEncoding('utf8').on('data', (piece: string) => (complaint += piece));
  box.stdin.on('error', () => undefined);
  box.stdout.setEncoding('utf8').on('data', (piece: string) => {
    said += piece;
    if (!said.endsWith('done\n')) return;
    void look();
  });
  const failure = await new Promise<Error | undefined>((ended) => {
    box.once('error', ended).once('close', () => ended(undefined));
  });
  clearTimeout(timer);
  if (failure) return explain(failure.message);
  const lines = said.trimEnd().split('\n');
  if (lines.at(-1) !== 'done') return explain(complaint);
  if (lines.length > 1) return lines[0];
  return watched ? undefined : 'the memory of a box cannot be read from outside';
}

/** The box may have spoken before bubblewrap's own word of it is read. */
async function isSeen(memory: () => number): Promise<boolean> {
  for (let tried = 0; tried < LOOKS; tried += 1) {
    if (memory() > 0) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

function explain(complaint: string): string {
  const known = KNOWN.find(([words]) => words.test(complaint))?.[1];
  if (known) return known;
  const line = complaint.trim().split('\n')[0]?.replaceAll(/\/\S+/g, '…') || 'it ended without a word';
  return `bubblewrap said: ${line}`;
}
