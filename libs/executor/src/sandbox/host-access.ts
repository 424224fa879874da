import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A user of the host, by number. */
export interface HostAccount {
  uid: number;
  gid: number;
}

/** A number that no distribution gives out; not nobody, whom the embedded Postgres may run as. */
const BOX_ACCOUNT: HostAccount = { uid: 64_950, gid: 64_950 };

/**
 * Who a box runs as on the host: the service's own user, or, as root, an account that owns nothing. The kernel
 * does not hold root to RLIMIT_NPROC, wherever the limit was set. Undefined = our own.
 */
export function boxAccount(): HostAccount | undefined {
  return process.getuid?.() === 0 ? BOX_ACCOUNT : undefined;
}

/** The program as the account can run it: where it is, or linked (else copied) into `folder`. */
export function programFor(account: HostAccount | undefined, path: string, folder: string): string {
  const real = realpathSync(path);
  if (!account || (mayRun(account, real) && !closedFolder(account, dirname(real)))) return real;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
  const { dev, ino, size, mtimeMs } = statSync(real);
  // A new build has another name: a box that still runs the old one keeps it.
  const place = join(folder, [basename(real), dev, ino, size, Math.trunc(mtimeMs)].join('-'));
  if (mayRun(account, real)) linkOrCopy(real, place);
  else copy(real, place);
  return place;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') copy(from, to);
  }
}

function copy(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** The folder on the way to `path` that the account cannot pass; undefined = none. What is not made yet will be. */
export function closedFolder(account: HostAccount | undefined, path: string): string | undefined {
  if (!account) return undefined;
  const steps = [path];
  while (dirname(steps[0] as string) !== steps[0]) steps.unshift(dirname(steps[0] as string));
  return steps.find((folder) => existsSync(folder) && (bitsFor(account, folder) & 1) === 0);
}

const mayRun = (account: HostAccount, file: string) => (bitsFor(account, file) & 5) === 5;

function bitsFor(account: HostAccount, path: string): number {
  const { mode, uid, gid } = statSync(path);
  return (mode >> (uid === account.uid ? 6 : gid === account.gid ? 3 : 0)) & 7;
}
