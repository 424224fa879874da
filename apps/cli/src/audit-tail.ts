import { setTimeout as sleep } from 'node:timers/promises';
import { AuditEventDto, AuditPageDto, AuditQuery, type AuditQuestion } from '@app/audit';
import type { Principal } from '@app/common';
import { eventText } from './audit-answers.js';
import { withAudit } from './audit-session.js';
import type { Services } from './services-session.js';
import type { Terminal } from './terminal.js';

const LOOK_EVERY_MS = 1_000;
/** A transaction that began earlier may be committed later: what it wrote appears among what was read already. */
const LOOK_BACK_MS = 15_000;
const MOST_AT_ONCE = 200;

interface TailOptions {
  lines: number;
  follow: boolean;
  json: boolean;
}

/** The last events, the oldest first, and with `follow` those that come, until `stop`. Each is printed once. */
export function tail(
  question: AuditQuestion,
  { lines, follow, json }: TailOptions,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<void> {
  return withAudit(async (services, operator) => {
    const last = (await read(services, operator, { ...question, limit: lines })).toReversed();
    for (const event of last) terminal.write(lineOf(event, json));
    // A project's events are committed in the order of their numbers.
    const shown = new Map(last.map(({ project, seq }) => [project, seq]));
    const start = last.at(-1)?.at ?? (question.from ?? new Date()).toISOString();
    const isNew = ({ project, seq, at }: AuditEventDto) =>
      seq > (shown.get(project) ?? (at > start ? 0 : seq));
    for (let newest = start; follow && !stop.aborted;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      const since = new Date(Date.parse(newest) - LOOK_BACK_MS);
      for (const event of await everythingSince(services, operator, question, since)) {
        if (!isNew(event)) continue;
        terminal.write(lineOf(event, json));
        shown.set(event.project, event.seq);
        if (event.at > newest) newest = event.at;
      }
    }
  });
}

async function read(services: Services, operator: Principal, question: AuditQuestion) {
  return AuditPageDto.from(await services.get(AuditQuery).list(operator, question)).data;
}

async function everythingSince(
  services: Services,
  operator: Principal,
  question: AuditQuestion,
  from: Date,
): Promise<AuditEventDto[]> {
  const found: AuditEventDto[] = [];
  let cursor: string | undefined;
  do {
    const asked = { ...question, from, cursor, limit: MOST_AT_ONCE };
    const page = AuditPageDto.from(await services.get(AuditQuery).list(operator, asked));
    found.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return found.toReversed();
}

function lineOf(event: AuditEventDto, json: boolean): string {
  return `${json ? JSON.stringify(event) : eventText(event)}\n`;
}
