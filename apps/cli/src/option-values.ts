import { UsageError } from './failures.js';

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `30d`, `12h`, `90m`, `45s`, `2w` in seconds. */
export function duration(option: string, value: string): number {
  const [, count, unit = ''] = /^([0-9]{1,9})([smhdw])$/.exec(value) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN);
  if (Number.isNaN(seconds))
    throw new UsageError(`${option} must be a number and a unit: 45s, 90m, 12h, 30d, 2w`);
  return seconds;
}

export function wholeNumber(option: string, value: string, least: number, most: number): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}`);
}

export function decimal(option: string, value: string, least: number, most: number): number {
  const number = /^[0-9]{1,16}(\.[0-9]{1,9})?$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} must be a number from ${least} to ${most}`);
}

/** A day begins at midnight UTC. */
export function time(option: string, value: string): Date {
  const shape =
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$/;
  const date = new Date(shape.test(value) ? value : Number.NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw new UsageError(`${option} must be a time such as 2026-11-21 or 2026-11-21T09:00:00Z`);
}

/** For an option that may be given several times. */
export function collected(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** What a list option asks for: "none" is a list without names. */
export const listed = (names: string[] | undefined) => (names?.includes('none') ? [] : names);
