import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The server process that `postmaster.pid` of a data folder names. */
export interface Postmaster {
  pid: number;
  port: number;
}

/** The live server of this data folder; undefined when there is none, whatever a stale pid file says. */
export function livePostmaster(data: string): Postmaster | undefined {
  const postmaster = readPidFile(data);
  return postmaster && isAlive(postmaster.pid, data) ? postmaster : undefined;
}

/** The port of the last start, also of a server that has died or was stopped: then there is no pid file. */
export function lastPort(data: string): number | undefined {
  try {
    const [, port] = /"-p" "(\d+)"/.exec(readFileSync(join(data, 'postmaster.opts'), 'utf8')) ?? [];
    return port === undefined ? undefined : Number(port);
  } catch {
    return undefined;
  }
}

/**
 * PostgreSQL itself refuses to start while any process has the pid in the file: after a power cut that may be
 * a stranger, in a container the unreaped zombie of the old server.
 */
export function dropStalePidFile(data: string): void {
  if (!livePostmaster(data)) rmSync(join(data, 'postmaster.pid'), { force: true });
}

function readPidFile(data: string): Postmaster | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    const port = Number(lines[3]);
    return pid > 0 && port > 0 ? { pid, port } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    // A zombie's command line is empty, a stranger's does not name our data.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
  } catch {
    return true; // no /proc here
  }
}
