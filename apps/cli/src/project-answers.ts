import {
  AuthModule,
  operatorPrincipal,
  ProjectDto,
  ProjectListDto,
  ProjectsService,
  type ProjectView,
} from '@app/auth';
import type { Principal } from '@app/common';
import { withServices } from './services-session.js';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

type Page = { limit?: number; cursor?: string };

export async function allProjects(page: Page, interactive: boolean): Promise<Answer> {
  const found = await withServices([AuthModule], (services) =>
    services.get(ProjectsService).list(operatorPrincipal(), page),
  );
  const json = ProjectListDto.from(found);
  const head = ['project', 'status', 'active keys', 'revoked keys', 'created'];
  const rows = json.data.map(({ id, status, keys, created_at }) => [
    ...[id, status, keys.active, keys.revoked, created_at],
  ]);
  const note = json.next_cursor ? `there are more: --cursor ${json.next_cursor}` : undefined;
  if (rows.length === 0) return { json, text: '', note: 'no projects' };
  return { json, text: table(head, rows, interactive), note };
}

export function oneProject(
  work: (projects: ProjectsService, operator: Principal) => Promise<ProjectView>,
): Promise<Answer> {
  return withServices([AuthModule], async (services) => {
    const json = ProjectDto.from(await work(services.get(ProjectsService), operatorPrincipal()));
    const { keys, ...project } = json;
    return { json, text: fields({ ...project, active_keys: keys.active, revoked_keys: keys.revoked }) };
  });
}
