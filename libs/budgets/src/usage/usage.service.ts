import { Injectable } from '@nestjs/common';
import { type Principal, reachOf } from '@app/common';
import type { UsageGroup, UsageQuestion, UsageRange } from './usage-question.js';
import { UsageRangeRepository } from './usage-range.repository.js';
import { UsageRanges } from './usage-ranges.js';
import { type GroupedSums, UsageRepository, type UsageSums } from './usage.repository.js';

export interface UsageSummary extends UsageRange {
  groupBy: UsageGroup;
  total: UsageSums;
  groups: GroupedSums[];
  /** There are more groups than were asked for. */
  hasMore: boolean;
}

const MOST_GROUPS = 1_000;

/** Answers what was used, exact up to this moment: runs that ended, counted in the hour that they started in. */
@Injectable()
export class Usage {
  constructor(
    private readonly ranges: UsageRanges,
    private readonly calendar: UsageRangeRepository,
    private readonly usage: UsageRepository,
  ) {}

  /** Of the caller's own project. */
  own(principal: Principal, question: UsageQuestion): Promise<UsageSummary> {
    return this.summary({ ...question, project: principal.project });
  }

  /** Of what the caller manages. Another project is an empty one. */
  async managed(principal: Principal, question: UsageQuestion): Promise<UsageSummary> {
    const reach = reachOf(principal);
    const isForeign = reach !== undefined && (question.project ?? reach) !== reach;
    // No project has this name.
    return this.summary({ ...question, project: isForeign ? '' : (question.project ?? reach) });
  }

  private async summary(question: UsageQuestion): Promise<UsageSummary> {
    const { project, keyId, model, groupBy = 'model', limit = MOST_GROUPS } = question;
    const range = await this.ranges.settle(question);
    const { from, to, timeZone } = range;
    const cutHours = await this.calendar.cutHours(from, to, timeZone, groupBy === 'day');
    const filter = { project, keyId, model };
    const found = await this.usage.sums({ from, to, timeZone, groupBy, filter, limit, cutHours });
    return {
      ...range,
      groupBy,
      total: found.total,
      groups: found.groups.slice(0, limit),
      hasMore: found.groups.length > limit,
    };
  }
}
