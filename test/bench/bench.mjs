// npm run bench: measures how fast all of it is and writes docs/benchmarks.json and docs/benchmarks.md.
// npm run bench -- <pattern>: runs the benches of that name and writes nothing.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { machine, quiet } from './machine.mjs';
import { page } from './page.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCS = join(ROOT, 'docs');
const JEST = createRequire(import.meta.url).resolve('jest/bin/jest');
const JEST_OPTIONS = ['--testRegex=[.]bench[.]ts$', '--runInBand'];

/** Of all CPUs; then others are at work and nothing that is measured means much. */
const BUSY = 0.1;

/** One after the other: each has the machine to itself. */
const SPEED = [
  'speed/completions',
  'speed/task-start',
  'speed/requests',
  'test/bench/admit',
  'speed/readers',
  'speed/server-start',
  'speed/soak',
];

function jest(patterns, env = {}) {
  const options = { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } };
  return spawnSync(process.execPath, [JEST, ...JEST_OPTIONS, ...patterns], options).status === 0;
}

async function measure() {
  execFileSync(process.execPath, [join(ROOT, 'bin/build.cjs')], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'bench-results-'));
  const file = join(folder, 'results.jsonl');
  try {
    const begun = { ...machine(ROOT), scale: Number(process.env.BENCH_SCALE ?? 1) };
    const startedAt = performance.now();
    writeFileSync(file, '');
    const failed = [];
    for (const pattern of SPEED) {
      const busy = await quiet();
      if (busy > BUSY) process.stderr.write(`${Math.round(busy * 100)} % of the machine is busy\n`);
      begun.machine.busiest_before = Math.max(begun.machine.busiest_before ?? 0, busy);
      if (!jest([pattern], { BENCH_RESULTS: file })) failed.push(pattern);
    }
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    const results = Object.fromEntries(lines.map((line) => [JSON.parse(line).bench, JSON.parse(line)]));
    return { ...begun, minutes: Math.round((performance.now() - startedAt) / 6_000) / 10, failed, results };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As `npm run check` wants it. */
async function write(name, text) {
  const filepath = join(DOCS, name);
  writeFileSync(filepath, await format(text, { ...(await resolveConfig(filepath)), filepath }));
}

const patterns = process.argv.slice(2);
if (patterns.length > 0) {
  process.exitCode = jest(patterns) ? 0 : 1;
} else {
  const measured = await measure();
  await write('benchmarks.json', JSON.stringify(measured));
  await write('benchmarks.md', page(measured));
  process.stdout.write(`\n${readFileSync(join(DOCS, 'benchmarks.md'), 'utf8')}`);
  process.exitCode = measured.failed.length > 0 ? 1 : 0;
}
