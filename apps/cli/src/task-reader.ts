import type { TaskDto, TaskListDto } from '@app/tasks';

export interface TaskQuery {
  limit?: number;
  cursor?: string;
  status?: string;
}

/** Events as the API tells them, from the oldest on. */
export interface EventPage {
  data: Record<string, unknown>[];
  has_more: boolean;
}

/** Tasks to look at: over HTTP those of a key's project, in this process those of all. */
export interface TaskReader {
  list(query: TaskQuery): Promise<TaskListDto>;
  show(id: string): Promise<TaskDto>;
  eventPage(id: string, after: number): Promise<EventPage>;
}
