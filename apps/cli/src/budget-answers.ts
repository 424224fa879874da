import { type Budget, BudgetDto, BudgetListDto, HoldListDto, type Page, type RunHold } from '@app/budgets';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

export function oneBudget(budget: Budget, note?: string): Answer {
  const json = BudgetDto.from(budget);
  const { window, object: _, ...rest } = json;
  return { json, text: fields({ ...rest, ...window }), note };
}

export function budgetPage(page: Page<Budget>, interactive: boolean): Answer {
  const json = BudgetListDto.from(page);
  const head = [
    'id',
    'project',
    'key',
    'unit',
    'limit',
    'period',
    'on',
    'settled',
    'held',
    'remaining',
    'resets',
  ];
  const rows = json.data.map(({ window, ...budget }) => [
    ...[budget.id, budget.project_id, budget.key_id, budget.unit, budget.limit, budget.period],
    ...[budget.enabled ? 'yes' : 'no', window.settled, window.held, window.remaining, window.resets_at],
  ]);
  if (rows.length === 0) return { json, text: '', note: 'no budgets' };
  return { json, text: table(head, rows, interactive), note: more(json.next_cursor) };
}

export function holdPage(page: Page<RunHold>, interactive: boolean): Answer {
  const json = HoldListDto.from(page);
  const head = ['run', 'project', 'key', 'kind', 'model', 'held usd', 'held tokens', 'observed usd', 'since'];
  const rows = json.data.map((hold) => [
    ...[hold.run_id, hold.project_id, hold.key_id, hold.kind, hold.model, hold.held_usd, hold.held_tokens],
    ...[hold.observed_usd, hold.started_at],
  ]);
  if (rows.length === 0) return { json, text: '', note: 'nothing is held' };
  return { json, text: table(head, rows, interactive), note: more(json.next_cursor) };
}

const more = (cursor: string | null) => (cursor ? `there are more: --cursor ${cursor}` : undefined);
