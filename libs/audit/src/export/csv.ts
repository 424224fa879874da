import { csvRow } from '@app/common';
import type { AuditRecord } from '../chain/audit-record.js';

export const CSV_HEAD =
  'project,seq,at,type,actor_kind,actor_id,target_kind,target_id,outcome,request_id,diff\r\n';

/** One event for a spreadsheet. Without its links: only the JSON lines can be verified. */
export function eventRow({
  project,
  seq,
  at,
  type,
  actor,
  target,
  outcome,
  requestId,
  diff,
}: AuditRecord): string {
  const cells = [
    ...[project, String(seq), at, type, actor.kind, actor.id, target.kind, target.id, outcome],
    ...[requestId ?? '', diff === null ? '' : JSON.stringify(diff)],
  ];
  return csvRow(cells);
}
