// Which way imports point (docs/architecture.md). test/house/walls.spec.ts proves that each rule bites.

/** From the ground up; folders of one row never import each other. */
const ROWS = [
  ['libs/common'],
  ['libs/config'],
  ['libs/database'],
  ['libs/audit'],
  ['libs/permissions'],
  ['libs/auth', 'libs/budgets', 'libs/executor'],
  ['libs/ecosystem'],
  ['libs/runs'],
  ['libs/completions', 'libs/tasks'],
  ['apps/api', 'apps/worker', 'apps/cli'],
];

const OURS = '^(apps|libs)/';
const SPEC = '[.]spec[.]ts$';

/** A package by name, installed or not. */
const packages = (...names) => names.map((name) => `(^|node_modules/)${name}(/|$)`);

const rows = ROWS.flatMap((folders, row) =>
  folders.map((folder) => ({
    name: `row-${row}-${folder.replace('/', '-')}`,
    comment: `${folder} may only import from the rows below its own`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: OURS, pathNot: [folder, ...ROWS.slice(0, row).flat()].map((allowed) => `^${allowed}/`) },
  })),
);

/** These modules may be imported only from these places. */
const only = (name, path, places) => ({
  name,
  comment: `only in ${places.join(', ')}`,
  severity: 'error',
  from: { path: `${OURS}|^test/`, pathNot: places },
  to: { path },
});

module.exports = {
  forbidden: [
    ...rows,
    {
      name: 'every-lib-has-a-row',
      comment: 'a new lib takes its place in ROWS',
      severity: 'error',
      from: { path: OURS, pathNot: ROWS.flat().map((folder) => `^${folder}/`) },
      to: {},
    },
    {
      name: 'lib-through-its-index',
      comment: 'another lib is entered through its src/index.ts as @app/<lib>',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/[^/]+/src/index[.]ts$', '^$1/$2/'] },
    },
    {
      name: 'no-lib-enters-itself',
      comment: 'inside a lib, import the file itself',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/$1/src/index[.]ts$' },
    },
    {
      name: 'no-cycle',
      comment: 'in ESM two decorated classes that import each other crash at load',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-tests-in-sources',
      comment: 'what ships does not import test/ or a spec',
      severity: 'error',
      from: { path: OURS, pathNot: SPEC },
      to: { path: ['^test/', SPEC] },
    },
    {
      name: 'resolvable',
      comment: 'the file or package must exist',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    only('agent-sdk-in-its-adapter', packages('@anthropic-ai/claude-agent-sdk'), [
      '^libs/executor/src/claude-cli/',
      '^test/',
    ]),
    {
      name: 'child-process-in-two-places',
      comment: 'only in libs/executor/src/sandbox and libs/database/src/embedded (and test/)',
      severity: 'error',
      from: { path: OURS, pathNot: ['^libs/executor/src/sandbox/', '^libs/database/src/embedded/'] },
      to: { path: '^(node:)?child_process$' },
    },
    only('typeorm-in-storage', packages('typeorm', '@nestjs/typeorm'), [
      '[.](entity|repository|module)[.]ts$',
      '^libs/database/',
      '^test/',
    ]),
    only('websockets-in-the-gateway', packages('@nestjs/websockets', '@nestjs/platform-ws', 'ws'), [
      '^apps/api/src/stream/',
      '^test/',
    ]),
    only('nest-commander-in-the-cli', packages('nest-commander', 'nest-commander-testing'), ['^apps/cli/']),
    only('aimock-in-the-demo', packages('@copilotkit/aimock'), ['^apps/api/src/demo/', '^test/']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
