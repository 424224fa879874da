import { Injectable } from '@nestjs/common';
import { Clock, OPERATOR_PROJECT, type Principal, reachOf } from '@app/common';
import { AuditLog } from '../audit-log.service.js';
import { noSuchChain } from '../audit.errors.js';
import { AuditRepository } from '../audit.repository.js';
import type { AuditRecord } from '../chain/audit-record.js';
import { checkpointLine } from '../chain/checkpoint-line.js';
import { CheckpointsRepository } from '../chain/checkpoints.repository.js';
import { Checkpoints } from '../chain/checkpoints.service.js';
import { CSV_HEAD, eventRow } from './csv.js';
import { type AuditLine, eventLine } from './export-lines.js';

const PAGE = 1_000;

export interface ExportRequest {
  /** Left out: every project that the caller manages. */
  project?: string;
  format: 'jsonl' | 'csv';
}

/**
 * Whole chains as text, piece by piece. JSON lines carry all that is needed to verify them without this
 * service: where each chain ends is signed first. An export is itself an event, and the last one in it.
 */
@Injectable()
export class AuditExport {
  constructor(
    private readonly clock: Clock,
    private readonly log: AuditLog,
    private readonly records: AuditRepository,
    private readonly stored: CheckpointsRepository,
    private readonly checkpoints: Checkpoints,
  ) {}

  /** Throws `not_found` before the first piece for a project that the caller does not manage. */
  async start(principal: Principal, request: ExportRequest): Promise<AsyncGenerator<string>> {
    const reach = reachOf(principal);
    const project = request.project ?? reach;
    const isForeign = reach !== undefined && project !== reach;
    if (project !== undefined && (isForeign || !(await this.records.exists(project)))) throw noSuchChain();
    await this.log.append({
      type: 'audit.exported',
      project: project ?? OPERATOR_PROJECT,
      actor: { kind: principal.kind, id: principal.keyId },
      target: { kind: 'audit', id: project ?? 'all' },
      outcome: 'ok',
      diff: { format: request.format },
    });
    return request.format === 'csv' ? this.csv(project) : this.jsonLines(project);
  }

  private async *csv(project: string | undefined): AsyncGenerator<string> {
    yield CSV_HEAD;
    for (const name of await this.projects(project)) {
      const { head, first } = await this.records.ends(name);
      for await (const page of this.pages(name, first, head.seq)) yield page.map(eventRow).join('');
    }
  }

  private async *jsonLines(project: string | undefined): AsyncGenerator<string> {
    const at = this.clock.now().toISOString();
    const { publicKey } = this.checkpoints;
    yield text([{ kind: 'export', version: 1, at, project: project ?? null, public_key: publicKey }]);
    const names = await this.projects(project);
    let events = 0;
    for (const name of names) {
      // Before the end is read: none of them may seem to lie beyond it.
      const signed = await this.stored.of(name);
      const { head, first, more } = await this.records.ends(name);
      const last = await this.checkpoints.sign(name, head.seq);
      yield text([
        { kind: 'chain', project: name, head: { seq: head.seq, mac: head.mac.toString('hex') }, more },
        ...[...signed, ...(last ? [last] : [])].map(checkpointLine),
      ]);
      for await (const page of this.pages(name, first, head.seq)) {
        events += page.length;
        yield text(page.map(eventLine));
      }
    }
    yield text([{ kind: 'end', chains: names.length, events }]);
  }

  private async projects(project: string | undefined): Promise<string[]> {
    return project === undefined ? this.records.projects() : [project];
  }

  /** Everything that is there, in order, with what does not belong there. */
  private async *pages(project: string, first: number | null, last: number): AsyncGenerator<AuditRecord[]> {
    if (first === null) return;
    for (let seq = first - 1; seq < last; seq += PAGE) {
      const page = await this.records.between(project, seq, Math.min(seq + PAGE, last));
      if (page.length > 0) yield page;
    }
  }
}

function text(lines: AuditLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
