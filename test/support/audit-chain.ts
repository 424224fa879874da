import pg from 'pg';
import {
  type AuditRecord,
  CHAIN_START,
  type ChainHead,
  ChainKey,
} from '../../libs/audit/src/chain/audit-record.js';
import { AUDIT_KEY, auditEvent } from './audit-process.js';

const BATCH = 10_000;

/** A chain as years of work leave it, straight into the table: real links, but not one transaction for each. */
export async function insertChain(url: string, project: string, count: number): Promise<void> {
  const key = new ChainKey(AUDIT_KEY);
  const client = new pg.Client(url);
  await client.connect();
  let head: ChainHead = CHAIN_START;
  for (let made = 0; made < count;) {
    const batch: AuditRecord[] = [];
    for (; batch.length < BATCH && made < count; made++) {
      const record = key.link(head, workOf(made, project), new Date());
      batch.push(record);
      head = record;
    }
    await insert(client, batch);
  }
  await client.query('INSERT INTO audit_heads (project, seq, mac) VALUES ($1, $2, $3)', [
    ...[project, head.seq, head.mac],
  ]);
  await client.query('ANALYZE audit_events');
  await client.end();
}

/** What most events are: tool calls of tasks. */
function workOf(n: number, project: string) {
  return auditEvent(`task_${String(n).padStart(32, '0')}`, {
    project,
    type: n % 20 ? 'tool.called' : 'task.ended',
    actor: { kind: 'key', id: `key_${String(n % 7).padStart(32, '0')}` },
    diff: { tool: 'Bash', arguments: { command: `npm test -- part-${n}`, timeout: 60_000 }, status: 'ok' },
    requestId: `req_${n}`,
  });
}

async function insert(client: pg.Client, records: AuditRecord[]): Promise<void> {
  const rows = records.map(({ prev, mac, ...said }) => ({
    ...said,
    prev: prev.toString('hex'),
    mac: mac.toString('hex'),
  }));
  await client.query(
    `INSERT INTO audit_events (project, seq, at, type, actor, target, outcome, diff, request_id, prev, mac, mac_key_id)
     SELECT project, seq, at, type, actor, target, outcome, diff, "requestId", decode(prev, 'hex'),
            decode(mac, 'hex'), "macKeyId"
     FROM jsonb_to_recordset($1::jsonb) AS r(project text, seq bigint, at timestamptz, type text, actor jsonb,
       target jsonb, outcome text, diff jsonb, "requestId" text, prev text, mac text, "macKeyId" text)`,
    [JSON.stringify(rows)],
  );
}
