import { Injectable, Logger } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '@app/audit';
import { AppError } from '@app/common';
import { Transactions } from '@app/database';
import { ClaimsRepository } from '../store/claims.repository.js';
import { TaskEventsRepository } from '../store/task-events.repository.js';
import { clipped } from '../storable.js';
import type { NewTaskEvent } from '../task-event.js';
import type { Claim, Task, TaskDenial } from '../task.js';
import { EventWriter } from './event-writer.js';
import type { Hold } from './hold.js';

/** Of each argument of a tool in the audit: what it was about, not what it held. */
const LONGEST_ARGUMENT = 200;
const HOLDS_CONTENT = new Set(['content', 'old_string', 'new_string', 'new_source', 'prompt', 'edits']);

/** Writes what a run tells into its task's log, tool calls and denials into the audit too: together or not at all. */
@Injectable()
export class EventLog {
  private readonly logger = new Logger(EventLog.name);

  constructor(
    private readonly transactions: Transactions,
    private readonly claims: ClaimsRepository,
    private readonly events: TaskEventsRepository,
    private readonly audit: AuditLog,
  ) {}

  /** While a task is held, nobody else adds to its log: so a try that came through unheard is recognised. */
  writerFor(hold: Hold): EventWriter {
    let last = hold.claim.last_seq;
    const write = async (events: NewTaskEvent[]) => {
      const written = await this.write(hold, last, events);
      if (written === 'yes') last += events.length;
      return written;
    };
    return new EventWriter(write, () => hold.lose());
  }

  private async write(hold: Hold, after: number, events: NewTaskEvent[]): Promise<'yes' | 'lost' | 'again'> {
    if (hold.lost) return 'lost';
    try {
      return (await this.append(hold.claim, after, events)) ? 'yes' : 'lost';
    } catch (error) {
      if (error instanceof AppError && error.code === 'database_unavailable') return 'again';
      // What the database refuses it would refuse for ever, and a log with a hole is none.
      this.logger.error({ msg: 'events could not be written', task_id: hold.claim.id, err: error });
      return 'lost';
    }
  }

  private append(claim: Claim, after: number, events: NewTaskEvent[]): Promise<boolean> {
    return this.transactions.run(async () => {
      const started = events.find(({ type }) => type === 'started');
      if (started) {
        const { model, effective_policy: policy } = started.data as Pick<Task, 'model' | 'effective_policy'>;
        if (!(await this.claims.setStarted(claim, model, policy))) return false;
      }
      const denials = events.filter(({ type }) => type === 'permission_denied').map(denialOf);
      const written = await this.events.append(claim, after, events, denials);
      if (written !== 'added') return written === 'there';
      for (const event of events) {
        const audited = auditOf(claim, event);
        if (audited) await this.audit.append(audited);
      }
      return true;
    });
  }
}

function denialOf({ data }: NewTaskEvent): TaskDenial {
  const { tool, item, rule, message } = data as unknown as TaskDenial;
  return { tool, item, rule, message };
}

function auditOf(claim: Claim, { type, data }: NewTaskEvent): AuditEvent | undefined {
  const about = {
    project: claim.project,
    actor: { kind: 'key', id: claim.key_id },
    requestId: claim.request_id ?? undefined,
  } as const;
  const diff = {
    task: claim.id,
    tool_use_id: data.tool_use_id,
    ...(data.agent ? { agent: data.agent } : {}),
  };
  const called = (kind: string, id: unknown, more: object): AuditEvent => ({
    ...about,
    type: 'tool.called',
    target: { kind, id: String(id) },
    outcome: 'ok',
    diff: { ...diff, ...more },
  });
  switch (type) {
    case 'tool_call':
      return called('tool', data.tool, { arguments: shortened(data.arguments) });
    case 'agent_spawn':
      return called('agent', data.agent, { agent: data.spawned_by ?? null });
    case 'skill_invoke':
      return called('skill', data.skill, {});
    case 'permission_denied':
      return {
        ...about,
        type: 'tool.denied',
        target: { kind: 'tool', id: String(data.tool) },
        outcome: 'denied',
        diff: { ...diff, item: data.item, rule: data.rule },
      };
    default:
      return undefined;
  }
}

function shortened(input: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((input ?? {}) as object)
      .slice(0, 20)
      .map(([name, value]) => {
        const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
        const shown = HOLDS_CONTENT.has(name)
          ? `(${text.length} characters)`
          : clipped(text, LONGEST_ARGUMENT);
        return [clipped(name, 100), shown];
      }),
  );
}
