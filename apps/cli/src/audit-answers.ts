import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  anchorsIn,
  AuditEventDto,
  AuditExport,
  AuditPageDto,
  AuditQuery,
  type AuditQuestion,
  AuditVerdictDto,
  AuditVerification,
  checkExport,
  ExportError,
  outsiderKeys,
  ownerKeys,
} from '@app/audit';
import { loadConfig } from '@app/config';
import { withAudit } from './audit-session.js';
import { UsageError, VerbFailure } from './failures.js';
import { table } from './table.js';
import type { Terminal } from './terminal.js';
import type { Answer } from './verb.command.js';

export function eventsPage(question: AuditQuestion, interactive: boolean): Promise<Answer> {
  return withAudit(async (services, operator) => {
    const json = AuditPageDto.from(await services.get(AuditQuery).list(operator, question));
    if (json.data.length === 0) return { json, text: '', note: 'no events' };
    const head = ['at', 'project', 'seq', 'type', 'actor', 'target', 'outcome'];
    const rows = json.data.map(({ at, project, seq, type, actor, target, outcome }) => [
      ...[at, project, seq, type, `${actor.kind} ${actor.id}`, `${target.kind} ${target.id}`, outcome],
    ]);
    const note = json.next_cursor ? `there are more: --cursor ${json.next_cursor}` : undefined;
    return { json, text: table(head, rows, interactive), note };
  });
}

/** One event in one line. */
export function eventText({ at, project, seq, type, actor, target, outcome, diff }: AuditEventDto): string {
  const what = `${type} ${outcome} by ${actor.kind} ${actor.id} on ${target.kind} ${target.id}`;
  return `${at} ${project} ${seq} ${what}${diff ? ` ${JSON.stringify(diff)}` : ''}`;
}

export function exported(
  request: { project?: string; format: 'jsonl' | 'csv' },
  terminal: Terminal,
): Promise<void> {
  return withAudit(async (services, operator) => {
    for await (const piece of await services.get(AuditExport).start(operator, request)) {
      await terminal.send(piece);
    }
  });
}

/** From the AUDIT_KEY: no database is asked. */
export function publicKey(): Answer {
  const text = ownerKeys(loadConfig().auditKey).checkpoints.text;
  return { json: { public_key: text }, text };
}

/** Of the database. */
export function verifiedChains(project: string | undefined): Promise<Answer> {
  return withAudit(async (services, operator) => {
    const json = AuditVerdictDto.from(await services.get(AuditVerification).verify(operator, { project }));
    return { json, text: json.chains.map(chainText).join('\n'), note: summary(json), failed: !json.ok };
  });
}

/** Of an export: no database is asked, and with a public key no secret is needed. */
export async function verifiedFile(
  file: string,
  { publicKey: given, anchors }: { publicKey?: string; anchors?: string },
): Promise<Answer> {
  const keys = given === undefined ? ownerKeys(loadConfig().auditKey) : outsiderKeys(given);
  if (!keys) throw new UsageError('--public-key must look like ed25519: and 43 characters');
  try {
    const kept = anchors === undefined ? [] : await anchorsIn(linesOf(anchors));
    const startedAt = performance.now();
    const {
      ok,
      exportedAt,
      publicKey: named,
      chains,
      problem,
    } = await checkExport(linesOf(file), keys, kept);
    const timed = { publicKey: keys.checkpoints.text, elapsedMs: performance.now() - startedAt, chains };
    const json = { ...AuditVerdictDto.from(timed), ok, exported_at: exportedAt, problem: problem ?? null };
    const otherKey =
      named !== keys.checkpoints.text && `it names the key ${named}: is that the one its operator published?`;
    const notes = [problem, otherKey, summary(json)].filter(Boolean).join('\n');
    return { json, text: json.chains.map(chainText).join('\n'), note: notes, failed: !ok };
  } catch (error) {
    if (error instanceof ExportError) throw new VerbFailure(`${file} cannot be verified: ${error.message}`);
    const { code, syscall, path } = error as NodeJS.ErrnoException;
    if (syscall) throw new UsageError(`cannot read ${path ?? file} (${code})`);
    throw error;
  }
}

function linesOf(file: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(file), crlfDelay: Infinity });
}

function chainText({ project, ok, fault, from_seq, to_seq, events, ...chain }: AuditVerdictDto['chains'][0]) {
  if (fault) {
    const where =
      fault.after === undefined ? `event ${fault.seq}` : `events ${fault.after + 1} to ${fault.seq}`;
    return `broken  ${project}  ${where}: ${fault.message} (${fault.flaw})`;
  }
  const kept = events === 0 ? 'no events' : `events ${from_seq} to ${to_seq}`;
  const signed =
    chain.signed_seq === null ? 'not signed' : `signed to ${chain.signed_seq}, ${chain.signed_at}`;
  return `${ok ? 'ok' : '?'}      ${project}  ${kept}  ${signed}`;
}

function summary({ ok, chains, elapsed_ms }: AuditVerdictDto): string {
  const events = chains.reduce((sum, chain) => sum + chain.events, 0);
  const verdict = ok ? 'the audit is as it was written' : 'the audit is NOT as it was written';
  return `${verdict}: ${events} events of ${chains.length} projects in ${elapsed_ms} ms`;
}
