import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedFolder, programFor } from './host-access.js';

describe('a program for the account of the boxes', () => {
  const stranger = { uid: 64_950, gid: 64_950 };
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'host-access-'));
    chmodSync(base, 0o755);
    for (const [name, mode] of [
      ['open', 0o755],
      ['closed', 0o700],
    ] as const)
      mkdirSync(join(base, name), { mode });
  });
  afterEach(() => rmSync(base, { recursive: true }));

  function program(folder: string, mode: number): string {
    const path = join(base, folder, 'claude');
    writeFileSync(path, 'program');
    chmodSync(path, mode);
    return path;
  }
  const reachable = () => join(base, 'reachable');

  it('is the program itself where the account can run it, or nobody else is meant', () => {
    const path = program('open', 0o755);
    expect(programFor(stranger, path, reachable())).toBe(path);
    expect(programFor(undefined, program('closed', 0o700), reachable())).toBe(join(base, 'closed/claude'));
  });

  it('is a link to it when only the way there is closed, made once', () => {
    const path = program('closed', 0o755);
    const place = programFor(stranger, path, reachable());
    expect(statSync(place).ino).toBe(statSync(path).ino);
    expect(place).toContain(`${reachable()}/claude-`);
    expect(programFor(stranger, path, reachable())).toBe(place);
  });

  it('is a copy when the file is closed too: what is the operator’s is not opened', () => {
    const path = program('closed', 0o700);
    const place = programFor(stranger, path, reachable());
    expect(statSync(place).mode & 0o777).toBe(0o755);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(programFor(stranger, path, reachable())).toBe(place);
  });

  it('is another one after an upgrade', () => {
    const first = programFor(stranger, program('closed', 0o755), reachable());
    rmSync(join(base, 'closed/claude'));
    writeFileSync(join(base, 'closed/other'), '');
    expect(programFor(stranger, program('closed', 0o755), reachable())).not.toBe(first);
  });
});

describe('the way to a folder', () => {
  const stranger = { uid: 64_950, gid: 64_950 };

  it('is closed at the first folder that the account cannot pass, also to what is not made yet', () => {
    const base = mkdtempSync(join(tmpdir(), 'host-access-'));
    try {
      mkdirSync(join(base, 'open'), { mode: 0o711 });
      expect(closedFolder(stranger, join(base, 'open', 'later'))).toBe(base);
      chmodSync(base, 0o711);
      expect(closedFolder(stranger, join(base, 'open', 'later'))).toBeUndefined();
      chmodSync(join(base, 'open'), 0o700);
      expect(closedFolder(stranger, join(base, 'open', 'later'))).toBe(join(base, 'open'));
      expect(closedFolder(undefined, join(base, 'open'))).toBeUndefined();
    } finally {
      rmSync(base, { recursive: true });
    }
  });
});
