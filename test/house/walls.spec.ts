import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../..');
let tree: string;

/** A tree that has the repository's own rules and these files. */
function plant(files: Record<string, string>): void {
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), source);
  }
}

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'walls-'));
  for (const rules of ['.dependency-cruiser.cjs', '.oxlintrc.json', 'tsconfig.json', 'package.json'])
    cpSync(join(repository, rules), join(tree, rules));
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

describe('which way imports point', () => {
  const LIBS =
    'common config database audit permissions auth budgets executor ecosystem runs completions tasks';

  /** Rule, file, what it imports. Each file is planted; each import must be refused by exactly this rule. */
  const REFUSED: [rule: string, file: string, imports: string][] = [
    ['row-0-libs-common', 'libs/common/src/up.ts', '@app/config'],
    ['row-1-libs-config', 'libs/config/src/up.ts', '@app/database'],
    ['row-2-libs-database', 'libs/database/src/up.ts', '@app/audit'],
    ['row-3-libs-audit', 'libs/audit/src/up.ts', '@app/permissions'],
    ['row-4-libs-permissions', 'libs/permissions/src/up.ts', '@app/auth'],
    ['row-5-libs-auth', 'libs/auth/src/side.ts', '@app/budgets'],
    ['row-5-libs-budgets', 'libs/budgets/src/side.ts', '@app/executor'],
    ['row-5-libs-executor', 'libs/executor/src/side.ts', '@app/auth'],
    ['row-6-libs-ecosystem', 'libs/ecosystem/src/up.ts', '@app/runs'],
    ['row-7-libs-runs', 'libs/runs/src/up.ts', '@app/completions'],
    ['row-8-libs-completions', 'libs/completions/src/side.ts', '@app/tasks'],
    ['row-8-libs-tasks', 'libs/tasks/src/up.ts', '../../../apps/worker/src/main.js'],
    ['row-9-apps-api', 'apps/api/src/side.ts', '../../cli/src/main.js'],
    ['row-9-apps-worker', 'apps/worker/src/side.ts', '../../api/src/main.js'],
    ['row-9-apps-cli', 'apps/cli/src/side.ts', '../../api/src/main.js'],
    ['every-lib-has-a-row', 'libs/utils/src/index.ts', '@app/common'],
    ['lib-through-its-index', 'libs/audit/src/inside.ts', '../../common/src/inner.js'],
    ['lib-through-its-index', 'apps/cli/src/inside.ts', '../../../libs/common/src/inner.js'],
    ['no-lib-enters-itself', 'libs/audit/src/itself.ts', '@app/audit'],
    ['no-cycle', 'libs/runs/src/chicken.ts', './egg.js'],
    ['no-tests-in-sources', 'libs/auth/src/tested.ts', '../../../test/support/stand-in.js'],
    ['no-tests-in-sources', 'apps/api/src/tested.ts', './app.spec.js'],
    ['resolvable', 'libs/auth/src/lost.ts', './nowhere.js'],
    ['agent-sdk-in-its-adapter', 'libs/executor/src/pool/pool.ts', '@anthropic-ai/claude-agent-sdk'],
    ['child-process-in-two-places', 'libs/executor/src/claude-cli/spawn.ts', 'node:child_process'],
    ['child-process-in-two-places', 'apps/cli/src/spawn.ts', 'child_process'],
    ['typeorm-in-storage', 'libs/auth/src/keys.service.ts', 'typeorm'],
    ['typeorm-in-storage', 'libs/auth/src/keys.controller.ts', '@nestjs/typeorm'],
    ['websockets-in-the-gateway', 'apps/api/src/health/socket.ts', '@nestjs/websockets'],
    ['nest-commander-in-the-cli', 'apps/api/src/command.ts', 'nest-commander'],
    ['aimock-in-the-demo', 'apps/api/src/script.ts', '@copilotkit/aimock'],
  ];
  const ALLOWED: [file: string, imports: string][] = [
    ['libs/runs/src/down.ts', '@app/executor'],
    ['libs/audit/src/own.ts', './deep/inner.js'],
    ['libs/auth/src/keys.repository.ts', 'typeorm'],
    ['libs/auth/src/key.entity.ts', 'typeorm'],
    ['libs/auth/src/auth.module.ts', '@nestjs/typeorm'],
    ['libs/database/src/transactions.ts', 'typeorm'],
    ['libs/database/src/embedded/cluster.ts', 'node:child_process'],
    ['libs/executor/src/sandbox/process-sandbox.ts', 'node:child_process'],
    ['libs/executor/src/claude-cli/adapter.ts', '@anthropic-ai/claude-agent-sdk'],
    ['test/e2e/contract.ts', '@anthropic-ai/claude-agent-sdk'],
    ['libs/auth/src/keys.spec.ts', '../../../test/support/stand-in.js'],
    ['apps/cli/src/cli.command.ts', 'nest-commander'],
    ['apps/api/src/demo/model.ts', '@copilotkit/aimock'],
    ['test/e2e/demo.ts', '@copilotkit/aimock'],
    ['test/e2e/spawn.ts', 'node:child_process'],
  ];
  let violations: string[];

  beforeAll(() => {
    const empty = 'export {};\n';
    for (const lib of LIBS.split(' ')) plant({ [`libs/${lib}/src/index.ts`]: empty });
    for (const app of ['api', 'worker', 'cli']) plant({ [`apps/${app}/src/main.ts`]: empty });
    for (const file of [
      'test/support/stand-in.ts',
      'libs/common/src/inner.ts',
      'libs/audit/src/deep/inner.ts',
    ])
      plant({ [file]: empty });
    plant({ 'apps/api/src/app.spec.ts': empty, 'libs/runs/src/egg.ts': `import './chicken.js';\n` });
    for (const [file, imports] of [...REFUSED.map((row) => row.slice(1) as [string, string]), ...ALLOWED])
      plant({ [file]: `import '${imports}';\n` });
    // Until the lib is there tsconfig.json has no alias for it.
    const paths = Object.fromEntries(
      LIBS.split(' ').map((lib) => [`@app/${lib}`, [`./libs/${lib}/src/index.ts`]]),
    );
    plant({ 'tsconfig.json': JSON.stringify({ compilerOptions: { module: 'nodenext', paths } }) });
    violations = cruise();
  });

  function cruise(): string[] {
    const bin = join(repository, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
    const args = [
      bin,
      '--config',
      '.dependency-cruiser.cjs',
      '--output-type',
      'json',
      'apps',
      'libs',
      'test',
    ];
    const { stdout } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' });
    const { summary } = JSON.parse(stdout) as {
      summary: { violations: { rule: { name: string }; from: string }[] };
    };
    return summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
  }

  it.each(REFUSED)('%s refuses %s -> %s', (rule, file) => {
    expect(violations).toContain(`${rule}: ${file}`);
  });

  it.each(ALLOWED)('lets %s import %s', (file) => {
    expect(violations.filter((violation) => violation.endsWith(`: ${file}`))).toEqual([]);
  });

  it('has a case for each rule', () => {
    const print = `process.stdout.write(JSON.stringify(require('./.dependency-cruiser.cjs').forbidden.map(r => r.name)))`;
    const rules = JSON.parse(
      execFileSync(process.execPath, ['-e', print], { cwd: repository, encoding: 'utf8' }),
    ) as string[];
    expect(new Set(REFUSED.map(([rule]) => rule))).toEqual(new Set(rules));
  });
});

describe('what the linter refuses', () => {
  const lines = (count: number) => 'export const x = 1;\n' + '//\n'.repeat(count - 1);
  const statements = (count: number) =>
    `export function f(x: number[]) {\n${'  x.push(1);\n'.repeat(count - 2)}}\n`;
  const parameters = (count: number) =>
    Array.from({ length: count }, (_, i) => `readonly p${i}: string`).join(', ');
  const service = (count: number) => `export class Service {\n  constructor(${parameters(count)}) {}\n}\n`;
  const branches = (count: number) =>
    `export function f(x: number) {\n${'  if (x > 1) x -= 1;\n'.repeat(count - 1)}  return x;\n}\n`;
  const environment = 'export const x = process.env.X;\n';
  const now = 'export const f = () => Date.now();\n';
  const log = `console.log('x');\nexport const x = 1;\n`;

  const REFUSED: [rule: string, file: string, source: string][] = [
    ['max-lines', 'libs/runs/src/long.ts', lines(301)],
    ['max-lines', 'libs/runs/src/long.spec.ts', lines(501)],
    ['max-lines-per-function', 'libs/runs/src/function.ts', statements(51)],
    ['max-params', 'libs/runs/src/runs.service.ts', service(8)],
    ['complexity', 'libs/runs/src/branches.ts', branches(16)],
    ['no-process-env', 'libs/runs/src/environment.ts', environment],
    ['no-process-env', 'apps/api/src/environment.ts', environment],
    [
      'no-restricted-imports',
      'libs/runs/src/env.ts',
      `import { env } from 'node:process';\nexport { env };\n`,
    ],
    [
      'no-restricted-imports',
      'libs/runs/src/cycle.ts',
      `import { forwardRef } from '@nestjs/common';\nexport { forwardRef };\n`,
    ],
    ['no-console', 'libs/runs/src/log.ts', log],
    ['no-restricted-properties', 'libs/runs/src/now.ts', now],
    ['no-explicit-any', 'libs/runs/src/any.ts', 'export const x: any = 1;\n'],
  ];
  const ALLOWED: [file: string, source: string][] = [
    ['libs/runs/src/300-lines.ts', lines(300)],
    ['libs/runs/src/500-lines.spec.ts', lines(500)],
    ['libs/runs/src/50-lines.ts', statements(50)],
    ['libs/runs/src/suite.spec.ts', statements(200)],
    ['libs/runs/src/seven.service.ts', service(7)],
    ['libs/runs/src/15-branches.ts', branches(15)],
    ['libs/config/src/environment.ts', environment],
    ['test/support/environment.ts', environment],
    ['bin/environment.cjs', 'module.exports = process.env.X;\n'],
    ['apps/cli/src/log.ts', log],
  ];
  let findings: string[];

  beforeAll(() => {
    for (const [file, source] of [...REFUSED.map((row) => row.slice(1) as [string, string]), ...ALLOWED])
      plant({ [file]: source });
    const bin = join(repository, 'node_modules/oxlint/bin/oxlint');
    const args = [bin, '-c', '.oxlintrc.json', '--format', 'json', 'apps', 'libs', 'bin', 'test'];
    const { stdout } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
    findings = diagnostics.map(({ code, filename }) => `${/\((.+)\)/.exec(code)?.[1]}: ${filename}`);
  });

  it.each(REFUSED)('%s in %s', (rule, file) => {
    expect(findings).toContain(`${rule}: ${file}`);
  });

  it.each(ALLOWED)('but nothing in %s', (file) => {
    expect(findings.filter((finding) => finding.endsWith(`: ${file}`))).toEqual([]);
  });
});
