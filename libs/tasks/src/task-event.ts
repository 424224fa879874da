/** Everything that is told of a task, in the words of the API. */
type TaskEventType =
  | 'queued'
  | 'started'
  | 'thinking'
  | 'token'
  | 'tool_call'
  | 'tool_result'
  | 'agent_spawn'
  | 'skill_invoke'
  | 'permission_denied'
  | 'usage'
  | 'retry'
  | 'result';

/** An event that has not got its number yet. */
export interface NewTaskEvent {
  type: TaskEventType;
  data: Record<string, unknown>;
}

/** An event as it is stored and told: `seq` starts at 1 and has no gap; `result` comes once, last. */
export interface TaskEvent extends NewTaskEvent {
  seq: number;
  at: Date;
}

/** The one shape of an event on every wire. */
export function wireEvent(taskId: string, { type, seq, at, data }: TaskEvent): Record<string, unknown> {
  return { type, seq, timestamp: at.toISOString(), task_id: taskId, ...data };
}
