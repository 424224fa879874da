import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The operating system user that Postgres runs as. */
export interface Account {
  uid: number;
  gid: number;
}

const NOBODY = 65_534;

/** PostgreSQL refuses root: as root it gets another account (`postgres`, else nobody); otherwise undefined. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return entry ? { uid: Number(entry[1]), gid: Number(entry[2]) } : { uid: NOBODY, gid: NOBODY };
}

/** Whether the account may pass through the folder and every folder above it. */
export function canReach(account: Account | undefined, folder: string): boolean {
  if (!account) return true;
  const { mode, uid, gid } = statSync(folder);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || canReach(account, parent);
}
