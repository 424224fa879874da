import {
  Usage,
  UsageDto,
  UsageExport,
  type UsageExportRequest,
  type UsageGroup,
  type UsageQuestion,
  UsageRollups,
} from '@app/budgets';
import { fields, table } from './table.js';
import type { Terminal } from './terminal.js';
import { withUsage } from './usage-session.js';
import type { Answer } from './verb.command.js';

/** The totals of a time, and with `--json` its days too. */
export async function usageSummary(question: UsageQuestion): Promise<Answer> {
  const json = await asked({ ...question, groupBy: 'day' });
  const { data, has_more: _, group_by: __, ...totals } = json;
  return { json, text: fields({ ...totals, days_with_runs: data.length }), note: unknownCosts(json) };
}

export async function usageBy(
  groupBy: UsageGroup,
  question: UsageQuestion,
  interactive: boolean,
): Promise<Answer> {
  const json = await asked({ ...question, groupBy });
  if (json.data.length === 0) return { json, text: '', note: 'no runs' };
  const head = [groupBy, 'runs', 'failed', 'tokens', 'cost usd', 'notional usd', 'cost unknown'];
  const rows = json.data.map((group) => [
    ...[group.project ?? group.model ?? group.key_id ?? group.day ?? '', group.runs, group.failed_runs],
    ...[group.total_tokens, group.cost_usd, group.notional_cost_usd, group.unknown_cost_runs],
  ]);
  const more = json.has_more ? 'there are more: only the first 1000 are shown' : undefined;
  return { json, text: table(head, rows, interactive), note: more ?? unknownCosts(json) };
}

export function exported(request: UsageExportRequest, terminal: Terminal): Promise<void> {
  return withUsage(async (services, operator) => {
    for await (const piece of await services.get(UsageExport).start(operator, request))
      await terminal.send(piece);
  });
}

export function rebuilt(): Promise<Answer> {
  return withUsage(async (services) => {
    const { days, differences, found } = await services.get(UsageRollups).rebuild();
    const json = { ok: found === 0, days, found, differences };
    const lines = differences.map(({ grain, bucket, project, key_id, model, stored, computed }) =>
      [
        ...[`${grain} ${bucket.toISOString()} ${project} ${key_id} ${model}:`],
        ...[JSON.stringify(stored), 'should be', JSON.stringify(computed)],
      ].join(' '),
    );
    const verdict =
      found === 0 ? 'every sum is what the ledger says' : `${found} sums were wrong and are right now`;
    return { json, text: lines.join('\n'), note: `${verdict}: ${days} days`, failed: found > 0 };
  });
}

function asked(question: UsageQuestion): Promise<UsageDto> {
  return withUsage(async (services, operator) =>
    UsageDto.from(await services.get(Usage).managed(operator, question)),
  );
}

function unknownCosts({ unknown_cost_runs: runs }: UsageDto): string | undefined {
  return runs > 0 ? `nobody knows the cost of ${runs} runs: it is in no sum` : undefined;
}
