import { Injectable } from '@nestjs/common';
import { AppError, type Principal } from '@app/common';
import { ArtifactsRepository } from './artifacts/artifacts.repository.js';
import { TaskDto, type TaskEventsDto, type TaskListDto } from './dto/task.dto.js';
import { TaskEventsRepository } from './store/task-events.repository.js';
import { TasksRepository } from './store/tasks.repository.js';
import { wireEvent } from './task-event.js';
import { type Task, TASK_ID, type TaskStatus } from './task.js';

const PAGE_SIZE = 50;
const LOG_PAGE = 100;
const LONGEST_LOG = 1_000;
const MOST_LOG_CHARS = 2 * 1024 * 1024;

interface TaskQuery {
  limit?: number;
  cursor?: string;
  status?: TaskStatus;
  /** For the operator, who sees all projects: only this one's. */
  project?: string;
}

/**
 * Tasks as their project sees them: one of another project is not there, the very same answer. The operator sees
 * those of all projects, each with its own.
 */
@Injectable()
export class TaskViews {
  constructor(
    private readonly tasks: TasksRepository,
    private readonly events: TaskEventsRepository,
    private readonly artifacts: ArtifactsRepository,
  ) {}

  /** Throws `not_found` unless the task is the caller's project's. */
  async require(principal: Principal, id: string): Promise<Task> {
    const task = TASK_ID.test(id) ? await this.tasks.find(id, reachOf(principal)) : undefined;
    if (!task) throw new AppError('not_found', 'there is no such task');
    return task;
  }

  async show(principal: Principal, id: string): Promise<TaskDto> {
    const [view] = await this.views(principal, [await this.require(principal, id)]);
    return { ...view!, ...(await this.log(id)) };
  }

  /** Newest first. */
  async list(
    principal: Principal,
    { limit = PAGE_SIZE, cursor, status, project }: TaskQuery,
  ): Promise<TaskListDto> {
    const found = await this.tasks.page(reachOf(principal) ?? project, status, cursor, limit + 1);
    const page = found.slice(0, limit);
    const hasMore = found.length > limit;
    return {
      data: await this.views(principal, page),
      has_more: hasMore,
      next_cursor: hasMore ? page.at(-1)!.id : null,
    };
  }

  /** Whoever calls has made sure that the task may be seen. */
  async eventPage(id: string, after: number, limit = PAGE_SIZE): Promise<TaskEventsDto> {
    const { events = [] } = (await this.events.page(id, after, limit + 1)) ?? {};
    const page = events.slice(0, limit);
    const hasMore = events.length > limit;
    return {
      data: page.map((event) => wireEvent(id, event)),
      has_more: hasMore,
      next_cursor: hasMore ? String(page.at(-1)!.seq) : null,
    };
  }

  private async views(principal: Principal, tasks: Task[]): Promise<TaskDto[]> {
    const ids = tasks.map(({ id }) => id);
    const artifacts = await this.artifacts.of(ids);
    const waits = tasks.some(({ status }) => status === 'queued');
    const positions = waits ? await this.tasks.positions(ids) : new Map<string, number>();
    return tasks.map((task) => {
      const view = TaskDto.from(task, artifacts.get(task.id) ?? [], positions.get(task.id));
      return reachOf(principal) === undefined ? { ...view, project_id: task.project } : view;
    });
  }

  /** Bounded in events and in size: an event can hold a whole file. */
  private async log(id: string): Promise<Pick<TaskDto, 'execution_log' | 'execution_log_truncated'>> {
    const log: Record<string, unknown>[] = [];
    let chars = 0;
    let last = 0;
    for (;;) {
      const page = await this.events.log(id, last, LOG_PAGE);
      for (const event of page) {
        const told = wireEvent(id, event);
        chars += JSON.stringify(told).length;
        if (log.length === LONGEST_LOG || chars > MOST_LOG_CHARS) {
          return { execution_log: log, execution_log_truncated: true };
        }
        log.push(told);
        last = event.seq;
      }
      if (page.length < LOG_PAGE) return { execution_log: log };
    }
  }
}

/** The one project whose tasks this caller sees; undefined = all of them. */
function reachOf({ kind, project }: Principal): string | undefined {
  return kind === 'operator' ? undefined : project;
}
