import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import type { Allowance } from '@app/budgets';
import { AppError, newId, type Principal } from '@app/common';
import { Transactions } from '@app/database';
import {
  EffectivePolicyDto,
  Idempotency,
  type IdempotencyTicket,
  routeModel,
  RunPolicy,
  Runs,
} from '@app/runs';
import type { CreateTaskDto } from '../dto/create-task.dto.js';
import { TaskQueue } from '../store/task-queue.js';
import { TasksRepository } from '../store/tasks.repository.js';
import type { TaskInput } from '../task.js';
import { checkTask } from './check-task.js';

/** Of one key. What waits is stored: nobody fills the disk with it. */
const MOST_WAITING = { tasks: 1_000, bytes: 256 * 1024 * 1024 };

interface Context {
  requestId: string;
  idempotencyKey?: string;
}

interface Submitted {
  id: string;
  replayed: boolean;
  /** What the caller still has; absent for a repeated request. */
  allowance?: Allowance;
}

/** What its run could not do is refused before a task waits; what is accepted is stored and queued, or neither is. */
@Injectable()
export class TaskSubmission {
  constructor(
    private readonly transactions: Transactions,
    private readonly tasks: TasksRepository,
    private readonly queue: TaskQueue,
    private readonly runs: Runs,
    private readonly policy: RunPolicy,
    private readonly idempotency: Idempotency,
    private readonly audit: AuditLog,
  ) {}

  /** The id of the new task, or of the one that this idempotency key has made before. */
  async submit(
    principal: Principal,
    dto: CreateTaskDto,
    { requestId, idempotencyKey }: Context,
  ): Promise<Submitted> {
    const input = checkTask(dto);
    if (idempotencyKey === undefined) {
      return this.create(principal, dto, input, requestId);
    }
    const claim = await this.idempotency.claim(principal, idempotencyKey, { route: 'tasks', ...dto });
    if ('answer' in claim) return { id: (claim.answer as { id: string }).id, replayed: true };
    try {
      return await this.create(principal, dto, input, requestId, claim.ticket);
    } catch (error) {
      await claim.ticket.free();
      throw error;
    }
  }

  private async create(
    principal: Principal,
    dto: CreateTaskDto,
    input: TaskInput,
    requestId: string,
    ticket?: IdempotencyTicket,
  ): Promise<Submitted> {
    const model = this.modelFor(principal, dto);
    const policy = await this.runs.authorise(principal, {
      ...{ kind: 'task', prompt: dto.description, model, sampling: {}, requestId },
      timeoutSeconds: input.timeoutSeconds,
      maxCostUsd: input.maxCostUsd,
      agentic: { ...input, workspaceDir: '' },
    });
    const task = {
      id: newId('task'),
      project: principal.project,
      key_id: principal.keyId,
      tier: principal.tier,
      description: dto.description,
      model,
      workspace: dto.workspace ?? null,
      metadata: dto.metadata ?? null,
      effective_policy: EffectivePolicyDto.from(policy),
      request_id: requestId,
    };
    await this.requireRoom(principal.keyId);
    // Before the transaction: the key's other requests need not wait for its end.
    const allowance = await this.runs.accept(principal, policy);
    return this.transactions.run(async () => {
      await this.tasks.insert(task, input);
      await this.queue.add(task);
      await ticket?.keep({ id: task.id });
      await this.audit.append({
        type: 'task.created',
        project: principal.project,
        actor: { kind: 'key', id: principal.keyId },
        target: { kind: 'task', id: task.id },
        outcome: 'ok',
        diff: { model, workspace: task.workspace, effective_policy: task.effective_policy },
        requestId,
      });
      return { id: task.id, replayed: false, allowance };
    });
  }

  /** Nearly exact: requests of the same moment do not count each other. */
  private async requireRoom(keyId: string): Promise<void> {
    const waiting = await this.tasks.waitingOf(keyId);
    if (waiting.tasks < MOST_WAITING.tasks && waiting.bytes < MOST_WAITING.bytes) return;
    throw new AppError(
      'queue_full',
      'this key has too much waiting already: try again when some of it has run',
      {
        retryAfterSeconds: 30,
        details: { waiting_tasks: waiting.tasks, most_waiting_tasks: MOST_WAITING.tasks },
      },
    );
  }

  private modelFor(principal: Principal, dto: CreateTaskDto): string {
    if (dto.model !== undefined && dto.model !== 'auto') return dto.model;
    const allowed = this.policy.modelsOf(principal);
    if (allowed.length === 0) return 'auto';
    return routeModel({ prompt: dto.description, system: dto.system_prompt_append }, allowed).family;
  }
}
