import { type ApiKey, type IssuedKey, IssuedKeyDto, KeyDto, KeyListDto, type KeyPage } from '@app/auth';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

export function oneKey(key: ApiKey, note?: string): Answer {
  const json = KeyDto.from(key);
  return { json, text: fields(json), note };
}

/** Only the secret is text: `KEY=$(claude-api keys create …)` works. */
export function issuedKey(key: IssuedKey): Answer {
  const json = IssuedKeyDto.from(key);
  const what = `${json.id}: ${json.kind} key of project ${json.project_id}, tier ${json.tier}`;
  return { json, text: json.key, note: `${what}; the key above is not shown again` };
}

export function keyPage(page: KeyPage, interactive: boolean): Answer {
  const json = KeyListDto.from(page);
  const head = ['id', 'key', 'project', 'name', 'tier', 'kind', 'status', 'expires', 'last used'];
  const rows = json.data.map((key) => [
    ...[key.id, key.display, key.project_id, key.name, key.tier, key.kind, key.status],
    ...[key.expires_at, key.last_used_at],
  ]);
  const note = json.next_cursor ? `there are more: --cursor ${json.next_cursor}` : undefined;
  if (rows.length === 0) return { json, text: '', note: 'no keys' };
  return { json, text: table(head, rows, interactive), note };
}
