import { SAMPLE_WORKSPACE } from './demo/demo-sample.js';
import packageJson from '../../../package.json' with { type: 'json' };

export interface BannerFacts {
  url: string;
  database: 'external' | 'embedded';
  isolation: { level: string; detail: string; tasksRefused?: string };
  credential: { ok: boolean; detail: string };
  /** Made by this very start. */
  adminKey?: string;
  /** An inference key of the demo; its absence means that this is no demo. */
  demoKey?: string;
}

/** What the operator reads when the server has started: where it is, how it stands, and what to do next. */
export function banner(facts: BannerFacts): string {
  const { url, isolation, credential, demoKey } = facts;
  const model = credential.ok ? `credential of kind ${credential.detail}` : credential.detail;
  const lines = [
    `Claude Code API Service ${packageJson.version}${demoKey ? ' (demo: answers come from a scripted model)' : ''}`,
    `  API        ${url}`,
    `  docs       ${url}/docs`,
    `  try it     ${url}/docs/try`,
    `  database   ${facts.database === 'embedded' ? 'embedded PostgreSQL' : 'the one of DATABASE_URL'}`,
    `  isolation  ${isolation.level} (${isolation.detail})`,
    ...(isolation.tasksRefused ? [`  tasks      refused: ${isolation.tasksRefused}`] : []),
    `  model      ${demoKey ? 'scripted (demo)' : model}`,
  ];
  if (facts.adminKey) lines.push('', ...firstSteps(facts.adminKey));
  if (demoKey) lines.push('', ...demoSteps(url, demoKey));
  return lines.join('\n');
}

const firstSteps = (adminKey: string) => [
  'The first administration key, shown this once:',
  `  ${adminKey}`,
  'Make an inference key with:',
  '  npx claude-api keys create --project-id my-app --profile enterprise',
];

/** A completion, a stream, a task and an error, ready to paste. */
function demoSteps(url: string, key: string): string[] {
  const curl = (flags: string, body: object, route = 'completions') =>
    `  curl ${flags} ${url}/v1/${route} -H 'x-api-key: ${key}' -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  return [
    'An inference key for the demo, good for a day:',
    `  ${key}`,
    'Try a completion, a stream, a task with real tools, and an error:',
    curl('-s', { prompt: 'What is a mutex?' }),
    curl('-sN', { prompt: 'What is a mutex?', stream: true }),
    curl('-s', { description: 'Audit this project', workspace: SAMPLE_WORKSPACE }, 'task'),
    curl('-s', { prompt: 'What is a mutex?', max_tokens: 0 }),
  ];
}
