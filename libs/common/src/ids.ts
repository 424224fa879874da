import { v7 } from 'uuid';

export type IdPrefix = 'key' | 'run' | 'req' | 'task' | 'art' | 'evt' | 'cmpl' | 'budget' | 'grant';

/** A sortable id with a type prefix: `run_019ab…` (32 hex digits of a uuid v7). */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${v7().replaceAll('-', '')}`;
}
