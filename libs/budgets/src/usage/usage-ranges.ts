import { Injectable } from '@nestjs/common';
import { AppError, Clock } from '@app/common';
import { UsageRangeRepository } from './usage-range.repository.js';
import { USAGE_PERIODS, type UsageRange, type UsageSpan } from './usage-question.js';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const ZONE = /^[A-Z][A-Za-z_]{1,30}(\/[A-Za-z0-9_+-]{1,30}){1,2}$/;
const LONGEST_DAYS = 1_000;
const DAY_MS = 86_400_000;

/** Settles of when a question is, or refuses it with the field that is wrong. */
@Injectable()
export class UsageRanges {
  constructor(
    private readonly clock: Clock,
    private readonly calendar: UsageRangeRepository,
  ) {}

  async settle({ period, from, to, timeZone = 'UTC' }: UsageSpan): Promise<UsageRange> {
    // The command line comes here without the checks of a request.
    if (period !== undefined && !USAGE_PERIODS.includes(period)) {
      throw invalid('period', `period must be one of ${USAGE_PERIODS.join(', ')}`);
    }
    await this.requireTimeZone(timeZone);
    if (from === undefined) {
      if (to !== undefined) throw invalid('from', 'to needs a from');
      const current = period ?? 'month';
      const { from: start, to: end } = await this.calendar.period(current, timeZone, this.clock.now());
      return { period: current, from: start, to: end, timeZone };
    }
    if (period !== undefined) throw invalid('period', 'either a period or from and to');
    const start = await this.moment('from', from, timeZone);
    const end = to === undefined ? this.clock.now() : await this.moment('to', to, timeZone);
    if (end <= start) throw invalid(to === undefined ? 'from' : 'to', 'to must be after from');
    if (end.getTime() - start.getTime() > LONGEST_DAYS * DAY_MS) {
      throw invalid('from', `from and to may be at most ${LONGEST_DAYS} days apart`);
    }
    return { period: null, from: start, to: end, timeZone };
  }

  private async moment(param: string, text: string, timeZone: string): Promise<Date> {
    const moment = new Date(text);
    const isDate = DATE.test(text);
    // JavaScript takes February 30th for March 2nd.
    const isReal = !Number.isNaN(moment.getTime()) && dayExists(text);
    if (!isReal || !(isDate || MOMENT.test(text))) {
      throw invalid(
        param,
        `${param} must be a date such as 2026-11-21 or a time such as 2026-11-21T09:00:00Z`,
      );
    }
    return isDate ? this.calendar.midnight(text, timeZone) : moment;
  }

  private async requireTimeZone(name: string): Promise<void> {
    // Postgres also knows offsets, with the sign turned round, and abbreviations.
    if (name === 'UTC' || (ZONE.test(name) && (await this.calendar.isTimeZone(name)))) return;
    throw invalid('time_zone', 'time_zone must be UTC or a name such as Europe/Berlin');
  }
}

function dayExists(text: string): boolean {
  const day = text.slice(0, 10);
  const moment = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(day);
}

function invalid(param: string, message: string): AppError {
  return new AppError('invalid_request', message, { param });
}
