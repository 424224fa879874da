import { Injectable } from '@nestjs/common';
import { type Principal, reachOf } from '@app/common';
import { CSV_HEAD, csvLine, jsonLine } from './export-line.js';
import { type RunPlace, UsageExportRepository, type UsageLine } from './usage-export.repository.js';
import type { UsageFilter, UsageRange, UsageSpan } from './usage-question.js';
import { UsageRanges } from './usage-ranges.js';

const PAGE = 1_000;

export interface UsageExportRequest extends UsageSpan, UsageFilter {
  format: 'csv' | 'jsonl';
}

/** The ledger as text, piece by piece: a line for each model of each run that ended, the oldest run first. */
@Injectable()
export class UsageExport {
  constructor(
    private readonly ranges: UsageRanges,
    private readonly ledger: UsageExportRepository,
  ) {}

  /** What is wrong with the request is told before the first piece. */
  async start(principal: Principal, request: UsageExportRequest): Promise<AsyncGenerator<string>> {
    const range = await this.ranges.settle(request);
    const reach = reachOf(principal);
    const isForeign = reach !== undefined && (request.project ?? reach) !== reach;
    // No project has this name.
    return this.text(range, { ...request, project: isForeign ? '' : (request.project ?? reach) });
  }

  private async *text(range: UsageRange, { format, ...filter }: UsageExportRequest): AsyncGenerator<string> {
    if (format === 'csv') yield CSV_HEAD;
    const lineOf = format === 'csv' ? csvLine : jsonLine;
    for await (const page of this.pages(range, filter)) {
      yield page
        .filter(({ model }) => filter.model === undefined || model === filter.model)
        .map(lineOf)
        .join('');
    }
  }

  private async *pages({ from, to }: UsageRange, filter: UsageFilter): AsyncGenerator<UsageLine[]> {
    let after: RunPlace | undefined;
    for (;;) {
      const page = await this.ledger.page({ from, to, filter }, after, PAGE);
      if (page.length === 0) return;
      yield page;
      after = page.at(-1);
    }
  }
}
