'use strict';
// Keeps dist/ in step with the sources. `node bin/build.cjs` (npm run build) builds in any case.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { dirname, join } = require('node:path');

const SOURCES = ['apps', 'libs', 'package.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json'];
const STUCK_AFTER_MS = 180_000;

/** Why there is nothing to run; the message is for the terminal. */
class BuildError extends Error {}

/** Builds when a source is newer than the last good build. Without sources (a container) dist/ is what there is. */
function buildIfStale(root) {
  if (!fs.existsSync(join(root, 'apps')) || isFresh(root)) return;
  locked(root, () => isFresh(root) || build(root));
}

function isFresh(root) {
  const stamp = fs.statSync(join(root, 'dist', '.built'), { throwIfNoEntry: false });
  return stamp !== undefined && !SOURCES.some((source) => hasNewer(join(root, source), stamp.mtimeMs));
}

/** Folders count too: their time moves when a file in them is removed. */
function hasNewer(path, than) {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (!stat || path.endsWith('.spec.ts')) return false;
  if (stat.mtimeMs > than) return true;
  return stat.isDirectory() && fs.readdirSync(path).some((name) => hasNewer(join(path, name), than));
}

function build(root) {
  const nest = findNest(root);
  process.stderr.write('building…\n');
  // The stamp bears the time at which the build began: what is edited meanwhile is newer.
  const startedAt = new Date();
  const { status, stdout, stderr } = spawnSync(process.execPath, [nest, 'build'], { cwd: root });
  if (status !== 0) throw new BuildError(`${stdout}${stderr}the build failed`);
  const stamp = join(root, 'dist', '.built');
  fs.writeFileSync(stamp, '');
  fs.utimesSync(stamp, startedAt, startedAt);
}

function findNest(root) {
  try {
    return require.resolve('@nestjs/cli/bin/nest.js', { paths: [root] });
  } catch {
    throw new BuildError('cannot build: the development packages are missing, run "npm ci"');
  }
}

/** One build at a time: waits for another process's build; takes over the lock of one that died. */
function locked(root, work) {
  const path = join(root, 'dist', '.building');
  takeLock(path);
  try {
    work();
  } finally {
    fs.rmSync(path, { force: true });
  }
}

function takeLock(path) {
  const giveUpAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    try {
      fs.mkdirSync(dirname(path), { recursive: true });
      return fs.writeFileSync(path, String(process.pid), { flag: 'wx' });
    } catch (error) {
      if (error.code !== 'EEXIST')
        throw new BuildError(`cannot build: dist/ cannot be written (${error.code})`);
    }
    if (isLeftBehind(path)) fs.rmSync(path, { force: true });
    else if (Date.now() > giveUpAt)
      throw new BuildError(`another build seems stuck: stop it or remove ${path}`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

function isLeftBehind(path) {
  try {
    const owner = Number(fs.readFileSync(path, 'utf8'));
    // 0: its owner has just made it and not yet signed it.
    if (owner !== 0) process.kill(owner, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

module.exports = { BuildError, buildIfStale };

if (require.main === module) {
  const root = join(__dirname, '..');
  try {
    locked(root, () => build(root));
  } catch (error) {
    console.error(error instanceof BuildError ? error.message : error);
    process.exitCode = 1;
  }
}
