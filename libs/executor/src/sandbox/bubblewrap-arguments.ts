import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { BoxFiles } from './box-files.js';
import * as place from './box-places.js';
import type { BoxSpec } from './sandbox.js';

const MEBIBYTE = 1024 * 1024;
/** Of the host's /etc: how programs find libraries, certificates, each other and the time. No names, no settings. */
const HOST_ETC = [
  ...['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'ssl/certs', 'ssl/openssl.cnf'],
  ...['pki/tls/certs', 'pki/ca-trust', 'ca-certificates', 'localtime', 'mime.types'],
];
/** Where /usr is the whole system these are links into it. */
const SYSTEM_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
const LARGEST_FILE_WITHOUT_WORKSPACE = 256 * MEBIBYTE;
const OPEN_FILES = 4096;
/** Whoever waits for an answer goes before what tasks compute. */
const TASK_NICENESS = '10';
/** What the service itself was started with and nobody marked as its own would pass through all of us. */
const CLOSE_INHERITED = 'for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd > 2)) && exec {fd}>&-; done; ';

/** What a box is made of, besides its spec. */
export interface BoxParts {
  files: BoxFiles;
  /** The program as the box's account can run it. */
  program: string;
  /** For hosts whose /usr has no Node. */
  node?: string;
}

/** How much each private file system may hold. All of it is memory and counts as the box's. */
function tmpfsSizes({ memoryBytes }: BoxSpec['limits']) {
  const share = (part: number, most: number) => Math.floor(Math.min(memoryBytes / part, most * MEBIBYTE));
  return { [place.BOX_TMP]: share(2, 1024), [place.BOX_HOME]: share(4, 512), [place.BOX_SHM]: share(8, 256) };
}

/**
 * bubblewrap's options for a box: nothing of the host is there unless it stands in this list. The order
 * matters: what comes later is mounted over what came before, and the root is closed last.
 */
export function bubblewrapOptions(box: BoxSpec, { files, program, node }: BoxParts): string[] {
  const sizes = Object.entries(tmpfsSizes(box.limits));
  return [
    ...['--unshare-user', '--unshare-all', '--disable-userns', '--cap-drop', 'ALL'],
    ...['--uid', String(place.BOX_UID), '--gid', String(place.BOX_UID), '--hostname', 'claude'],
    ...['--die-with-parent', '--new-session'],
    ...['--ro-bind', '/usr', '/usr', ...SYSTEM_FOLDERS.flatMap(systemFolder)],
    ...['--perms', '0755', '--dir', '/etc', ...HOST_ETC.flatMap((name) => readOnlyIfThere(`/etc/${name}`))],
    ...Object.entries(files.etc).flatMap(([name, path]) => ['--ro-bind', path, `/etc/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...sizes.flatMap(([path, size]) => ['--perms', modeOf(path), '--size', String(size), '--tmpfs', path]),
    ...['--remount-ro', '/dev', '--perms', '0700', '--dir', place.BOX_CONFIG],
    ...['--ro-bind', program, place.BOX_PROGRAM, ...(node ? ['--ro-bind', node, place.BOX_NODE] : [])],
    ...['--ro-bind-try', box.folder.pluginDir, place.BOX_PLUGIN],
    ...['--ro-bind-try', box.folder.transcriptPath, place.BOX_TRANSCRIPT],
    ...('socketPath' in box.broker ? ['--ro-bind', box.broker.socketPath, place.BOX_SOCKET] : []),
    ...workspace(box),
    ...['--chdir', place.BOX_WORKSPACE, '--remount-ro', '/'],
  ];
}

/** Set in here because limits that are set outside are counted over all boxes of the account. */
export function insideCommand({ args, broker, limits, workspace: dir }: BoxSpec): string[] {
  const largestFile = dir?.writable ? dir.quotaBytes : LARGEST_FILE_WITHOUT_WORKSPACE;
  const bridge =
    'socketPath' in broker
      ? // It ends with the CLI: else it would hold a box that has lost its outer process.
        `setpriv --pdeathsig KILL -- socat TCP-LISTEN:${place.BOX_BROKER_PORT},bind=127.0.0.1,reuseaddr,nodelay,fork UNIX-CONNECT:${place.BOX_SOCKET} </dev/null >/dev/null 2>&1 & `
      : '';
  return [
    ...(dir ? ['nice', '-n', TASK_NICENESS] : []),
    ...['prlimit', `--nproc=${limits.processes}`, `--fsize=${largestFile}`],
    ...[`--nofile=${OPEN_FILES}`, '--core=0', '--'],
    // Else bash, which sees a socket for its stdin, takes itself for a remote login and reads its settings.
    ...['bash', '--norc', '-c', `${CLOSE_INHERITED}${bridge}exec "$@"`, 'bash', place.BOX_PROGRAM, ...args],
  ];
}

function workspace({ workspace: dir }: BoxSpec): string[] {
  if (!dir) return ['--dir', place.BOX_WORKSPACE];
  return [dir.writable ? '--bind' : '--ro-bind', dir.dir, place.BOX_WORKSPACE];
}

const modeOf = (path: string) => (path === place.BOX_HOME ? '0700' : '1777');

function systemFolder(name: string): string[] {
  const path = `/${name}`;
  if (!existsSync(path)) return [];
  return lstatSync(path).isSymbolicLink()
    ? ['--symlink', readlinkSync(path), path]
    : ['--ro-bind', path, path];
}

const readOnlyIfThere = (path: string) => ['--ro-bind-try', path, path];
