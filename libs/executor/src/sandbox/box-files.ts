import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOX_HOME } from './box-places.js';
import { seccompFilter } from './seccomp-filter.js';

/** The box's own /etc: what programs ask for, made up, instead of what the host knows. */
const ETC: Record<string, string> = {
  passwd: `claude:x:1000:1000:claude:${BOX_HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`,
  group: 'claude:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost claude\n::1 localhost\n',
  'resolv.conf': '# There is no network here.\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};

/** Files that all boxes share, read-only: the made-up /etc and the compiled filter. */
export interface BoxFiles {
  /** Path of a file by its name in /etc. */
  etc: Record<string, string>;
  seccompPath: string;
}

/** Writes them into the folder, for any account to read. */
export function makeBoxFiles(folder: string): BoxFiles {
  mkdirSync(folder, { recursive: true });
  // Not the process's mask: the account of the boxes reads here.
  chmodSync(folder, 0o755);
  const put = (name: string, content: string | Buffer) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, 0o644);
    return path;
  };
  const etc = Object.fromEntries(Object.entries(ETC).map(([name, content]) => [name, put(name, content)]));
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  return { etc, seccompPath: put('seccomp.bpf', seccompFilter(architecture)) };
}
