import { operatorPrincipal } from '@app/auth';
import { AppError } from '@app/common';
import { TASK_STATUSES, TaskViews, TaskViewsModule } from '@app/tasks';
import { withServices } from './services-session.js';
import type { TaskQuery, TaskReader } from './task-reader.js';

const LARGEST_PAGE = 200;

/** Tasks in this process as the operator sees them, for as long as `work` runs. */
export function withTaskViews<T>(
  project: string | undefined,
  work: (tasks: TaskReader) => Promise<T>,
): Promise<T> {
  return withServices([TaskViewsModule], (services) => {
    const views = services.get(TaskViews);
    const operator = operatorPrincipal();
    return work({
      list: (query) => views.list(operator, { ...query, status: statusOf(query), project }),
      show: (id) => views.show(operator, id),
      eventPage: async (id, after) => {
        await views.require(operator, id);
        return views.eventPage(id, after, LARGEST_PAGE);
      },
    });
  });
}

function statusOf({ status }: TaskQuery) {
  const known = TASK_STATUSES.find((each) => each === status);
  if (status === undefined || known) return known;
  throw new AppError('invalid_request', `status must be one of ${TASK_STATUSES.join(', ')}`, {
    param: 'status',
  });
}
