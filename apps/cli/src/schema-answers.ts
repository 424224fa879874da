import { migrate, migrationStatus } from '@app/database';
import { withDatabase } from './database-session.js';
import { table } from './table.js';
import type { Answer } from './verb.command.js';

export function schemaStatus(interactive: boolean): Promise<Answer> {
  return withDatabase(async ({ url, mode }) => {
    const migrations = (await migrationStatus(url)).map(({ name, appliedAt }) => ({
      name,
      applied_at: appliedAt?.toISOString() ?? null,
    }));
    const pending = migrations.filter((migration) => migration.applied_at === null).length;
    const rows = migrations.map((migration) => [migration.name, migration.applied_at ?? 'pending']);
    return {
      json: { database: mode, pending, migrations },
      text: table(['migration', 'applied'], rows, interactive),
      note: pending > 0 ? 'run "claude-api db migrate"; starting the server does it too' : undefined,
    };
  });
}

export function schemaMigrated(): Promise<Answer> {
  return withDatabase(async ({ url }) => {
    const applied = await migrate(url);
    return { json: { applied }, text: applied.map((name) => `applied ${name}`).join('\n') || 'up to date' };
  });
}
