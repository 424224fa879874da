import { clientSettings } from '@app/config';
import { UsageError } from './failures.js';
import type { TaskReader } from './task-reader.js';

/**
 * With a key, or a server that is named, its tasks; else those of this machine as its operator sees them, whether a
 * server runs or not. `project` is for the operator: a key has one of its own.
 */
export async function withTasks<T>(
  { url, project }: { url?: string; project?: string },
  work: (tasks: TaskReader) => Promise<T>,
): Promise<T> {
  if (!url && !clientSettings().apiKey) {
    const { withTaskViews } = await import('./tasks-session.js');
    return withTaskViews(project, work);
  }
  if (project)
    throw new UsageError('--project is for the operator: CLAUDE_API_KEY and --url must not be given');
  const { keyedServer } = await import('./http/live-server.js');
  const { TaskClient } = await import('./http/task-client.js');
  return work(new TaskClient(keyedServer(url)));
}
