import { Command } from 'nest-commander';
import { clientSettings } from '@app/config';
import { call, jsonOf, refusal } from '../http/live-server.js';
import { LiveCommand } from '../live.command.js';
import { fields } from '../table.js';
import type { Answer } from '../verb.command.js';

interface Readiness {
  status: 'ready' | 'not_ready';
  checks: Record<string, { ok: boolean; detail?: string }>;
}

const TIMEOUT_MS = 10_000;

@Command({ name: 'health', description: 'does the server run, and can it do its work?' })
export class HealthCommand extends LiveCommand {
  protected async answer(_: string[], { url }: { url?: string }): Promise<Answer> {
    const server = clientSettings(url);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await call(server, { method: 'GET', path: '/ready', signal });
    const readiness = (await jsonOf(response)) as Readiness | undefined;
    if (!readiness?.checks) throw refusal(response.statusCode ?? 0, readiness);
    const parts = Object.entries(readiness.checks).map(([name, { ok, detail }]) => [
      name,
      [ok ? 'ok' : 'failing', detail].filter(Boolean).join(': '),
    ]);
    return {
      json: { url: server.url, ...readiness },
      text: fields({ server: server.url, status: readiness.status, ...Object.fromEntries(parts) }),
      failed: readiness.status !== 'ready',
    };
  }
}
