import { MODEL_FAMILIES } from '@app/common';
import { invalidInput } from './auth.errors.js';

/** What a key may be given beyond, or below, its tier. Null = as the tier says. */
interface GrantsInput {
  agents?: string[];
  skills?: string[];
  models?: string[] | null;
  requestsPerMinute?: number | null;
}

export interface CreateKeyInput extends GrantsInput {
  /** The tenant: made by its first key. Left out for an administration key = the caller's own. */
  project?: string;
  name?: string;
  /** Left out: `free`; for an administration key `enterprise`. */
  tier?: string;
  /** An administration key: manages keys, cannot run a model. */
  admin?: boolean;
  expiresInSeconds?: number;
}

export interface UpdateKeyInput extends GrantsInput {
  name?: string;
  tier?: string;
  /** Null = never. */
  expiresAt?: Date | null;
}

const PROJECT_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const NAME_PATTERN = /^\P{Cc}{0,100}$/u;
const GRANT_PATTERN = /^\P{Cc}{1,200}$/u;
const MOST_GRANTS = 200;
const MOST_REQUESTS_PER_MINUTE = 1_000_000;
const TEN_YEARS_S = 315_360_000;
const DAY_S = 86_400;
const WEEK_S = 7 * DAY_S;

export function isProject(slug: string): boolean {
  return PROJECT_PATTERN.test(slug);
}

/** Throws `invalid_request`, naming the field as the API spells it. */
export function checkProject(project: string | undefined): string {
  if (project === undefined)
    throw invalidInput('project_id', 'is needed: the project that the key belongs to');
  if (!isProject(project)) {
    throw invalidInput(
      'project_id',
      'must be 1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first',
    );
  }
  return project;
}

/** Throws `invalid_request` for the first field that cannot be stored as it is. */
export function checkKeyInput(input: UpdateKeyInput & { expiresInSeconds?: number }): void {
  const { name, agents, skills, models, requestsPerMinute, expiresInSeconds } = input;
  if (name !== undefined && !NAME_PATTERN.test(name)) {
    throw invalidInput('name', 'must be at most 100 characters, none of them a control character');
  }
  checkNames('allow_agents', agents);
  checkNames('allow_skills', skills);
  if (
    models &&
    (models.length === 0 || models.some((model) => !MODEL_FAMILIES.some((family) => family === model)))
  ) {
    throw invalidInput('models', `must name at least one of ${MODEL_FAMILIES.join(', ')}`);
  }
  checkWhole('requests_per_minute', requestsPerMinute ?? undefined, 1, MOST_REQUESTS_PER_MINUTE);
  checkWhole('expires_in_seconds', expiresInSeconds, 1, TEN_YEARS_S);
}

/** How long the old secret stays alive: a day unless said otherwise, at most a week. */
export function checkOverlap(seconds: number | undefined): number {
  checkWhole('overlap_seconds', seconds, 0, WEEK_S);
  return seconds ?? DAY_S;
}

function checkNames(param: string, names: string[] | undefined): void {
  if (!names) return;
  if (names.length > MOST_GRANTS || names.some((name) => !GRANT_PATTERN.test(name))) {
    throw invalidInput(param, `must be at most ${MOST_GRANTS} names of 1 to 200 characters`);
  }
}

function checkWhole(param: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw invalidInput(param, `must be a whole number from ${least} to ${most}`);
}
