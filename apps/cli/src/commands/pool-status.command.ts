import { Option, SubCommand } from 'nest-commander';
import { clientSettings } from '@app/config';
import { call, jsonOf, refusal } from '../http/live-server.js';
import { fields, table } from '../table.js';
import { type Answer, VerbCommand } from '../verb.command.js';

interface PoolStatusOptions {
  url?: string;
}
interface PoolKind {
  label: string;
  fingerprint: string;
  fresh: number;
  busy: number;
  resetting: number;
  rested: number;
  uses: number;
  memory_bytes: number;
}
interface PoolState {
  enabled: boolean;
  recycling: boolean;
  processes: number;
  memory_bytes: number;
  memory_limit_bytes: number;
  hits: { recycled: number; fresh: number };
  misses: number;
  ended: { worn: number; evicted: number; failed: number };
  rescued: number;
  kinds: PoolKind[];
}

const TIMEOUT_MS = 10_000;

@SubCommand({ name: 'status', description: 'how many there are, and how often a run found one' })
export class PoolStatusCommand extends VerbCommand<PoolStatusOptions> {
  protected async answer(_: string[], { url }: PoolStatusOptions): Promise<Answer> {
    const server = clientSettings(url);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await call(server, { method: 'GET', path: '/v1/admin/pool', signal });
    const state = (await jsonOf(response)) as PoolState | undefined;
    if (response.statusCode !== 200 || !state?.kinds) throw refusal(response.statusCode ?? 0, state);
    return {
      json: state,
      text: `${fields(summaryOf(state))}\n\n${kindsOf(state, this.terminal.interactive)}`,
    };
  }

  @Option({ flags: '--url <url>', description: 'default: CLAUDE_API_URL, else this machine' })
  parseUrl(value: string): string {
    return value;
  }
}

function summaryOf({ enabled, recycling, processes, hits, misses, ended, rescued, ...memory }: PoolState) {
  return {
    pool: enabled ? `on, recycling ${recycling ? 'on' : 'off'}` : 'off',
    processes,
    memory: `${mebibytes(memory.memory_bytes)} of ${mebibytes(memory.memory_limit_bytes)}`,
    hits: named(hits),
    misses,
    rescued,
    ended: named(ended),
  };
}

function kindsOf({ kinds }: PoolState, interactive: boolean): string {
  const head = ['for', 'fresh', 'busy', 'resetting', 'rested', 'uses', 'memory', 'fingerprint'];
  const rows = kinds.map(({ label, fresh, busy, resetting, rested, uses, memory_bytes, fingerprint }) => [
    ...[label, fresh, busy, resetting, rested, uses],
    ...[mebibytes(memory_bytes), fingerprint],
  ]);
  return table(head, rows, interactive);
}

const named = (counts: object) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
