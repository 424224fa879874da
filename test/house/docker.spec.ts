import { existsSync, readFileSync } from 'node:fs';
import { join, matchesGlob, resolve } from 'node:path';
import { parse } from 'yaml';
import { SETTINGS } from '../../libs/config/src/settings.js';

/** No container engine runs here: what can be known without one is that every name they use exists. */
const repository = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(repository, file), 'utf8');
const settings: Record<string, { secret: boolean }> = SETTINGS;
const MADE_IN_THE_BUILD = ['node_modules', 'dist'];

/** Instruction and the rest, continuation lines joined, comments left out. */
const instructions = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(Boolean)
  .map((line) => /^(\w+) (.*)$/.exec(line)?.slice(1) as [string, string]);
const all = (name: string) => instructions.filter(([found]) => found === name).map(([, rest]) => rest);
const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

describe('the Dockerfile', () => {
  const environment = Object.fromEntries(
    all('ENV').flatMap((line) => line.split(' ').map((pair) => pair.split('=') as [string, string])),
  );

  it('copies only what exists and is not left out of the context', () => {
    const ignored = read('.dockerignore').split('\n').filter(Boolean);
    const fromContext = all('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1));
    expect(fromContext.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
    expect(fromContext.filter((path) => ignored.includes(path.split('/')[0] ?? ''))).toEqual([]);

    const fromBuild = all('COPY').flatMap((line) => /^--from=build \/app\/(\S+) /.exec(line)?.[1] ?? []);
    const unknown = fromBuild.filter(
      (path) => !MADE_IN_THE_BUILD.includes(path) && !fromContext.some((copied) => copied.startsWith(path)),
    );
    expect(unknown).toEqual([]);
  });

  it('builds with what the launcher compares with dist/', () => {
    const copied = all('COPY').join(' ');
    const sources = /const SOURCES = (\[.+?\])/s.exec(read('bin/build.cjs'))?.[1] ?? '';
    for (const [, source] of sources.matchAll(/'([^']+)'/g)) expect(copied).toContain(source);
  });

  it('runs scripts that exist', () => {
    const scripts = [
      ...all('RUN')
        .join('\n')
        .matchAll(/npm run (\S+)/g),
    ].map(([, script = '']) => script);
    expect(scripts).not.toEqual([]);
    expect(scripts.filter((script) => !(script in manifest.scripts))).toEqual([]);
    const [entry = ''] = all('ENTRYPOINT');
    expect(existsSync(join(repository, (JSON.parse(entry) as string[])[1] ?? ''))).toBe(true);
  });

  it('leaves out the Node and the Postgres of the packages, and keeps the Claude Code CLI', () => {
    const removed = [
      ...all('RUN')
        .join(' ')
        .matchAll(/node_modules\/(\S+)/g),
    ].map(([, path = '']) => path);
    const isRemoved = (name: string) =>
      removed.some((pattern) => matchesGlob(name, pattern) || name.startsWith(`${pattern}/`));
    const forLinux = Object.keys(manifest.optionalDependencies).filter((name) => name.includes('linux'));
    expect(forLinux.length).toBeGreaterThan(0);
    expect(forLinux.filter((name) => !isRemoved(name))).toEqual([]);
    expect(isRemoved('@anthropic-ai/claude-agent-sdk-linux-x64')).toBe(false);
    expect(read('Dockerfile')).not.toMatch(/^RUN.*--omit=optional/m);
  });

  it('names only settings that exist, listens on the port that it exposes, and is not root', () => {
    const unknown = Object.keys(environment).filter(
      (name) => !['NODE_ENV', 'HOME'].includes(name) && !(name in settings),
    );
    expect(unknown).toEqual([]);
    expect(all('EXPOSE')).toEqual([environment.PORT]);
    expect(SETTINGS.PORT.schema.parse(undefined)).toBe(Number(environment.PORT));
    expect(all('VOLUME')).toEqual([environment.CLAUDE_API_HOME]);
    expect(all('USER')).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
    expect(read('Dockerfile')).toContain(`-o ${all('USER')[0]?.split(':')[0]} `);
  });
});

interface Service {
  environment: Record<string, string>;
  secrets: string[];
  volumes: string[];
  networks: string[];
  cap_drop: string[];
  security_opt: string[];
  init: boolean;
  ports?: string[];
}

describe('docker-compose.yml', () => {
  const compose = parse(read('docker-compose.yml')) as {
    services: { api: Service; postgres: Service };
    networks: Record<string, { internal?: boolean }>;
    volumes: object;
    secrets: Record<string, { file: string }>;
  };
  const { api, postgres } = compose.services;

  it('names only settings that exist, and files only for secrets', () => {
    for (const name of Object.keys(api.environment))
      expect(settings[name.replace(/_FILE$/, '')]).toMatchObject({ secret: name.endsWith('_FILE') });
  });

  it.each([
    ['api', api],
    ['postgres', postgres],
  ] as const)('gives %s what it declares and nothing more', (_, service) => {
    const named = Object.values(service.environment).flatMap(
      (value) => /^\/run\/secrets\/(.+)$/.exec(value)?.[1] ?? [],
    );
    expect(named.toSorted()).toEqual(service.secrets.toSorted());
    expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining(service.secrets));
    expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining(service.networks));
    expect(Object.keys(compose.volumes)).toEqual(
      expect.arrayContaining(service.volumes.map((volume) => volume.split(':')[0])),
    );
    expect(service).toMatchObject({
      init: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  it('keeps the database on a network without a way out, and the API on loopback', () => {
    expect(postgres.networks.map((name) => compose.networks[name])).toEqual([{ internal: true }]);
    expect(postgres.ports).toBeUndefined();
    expect(api.ports).toEqual(['127.0.0.1:8006:8006']);
  });

  it('uses the secret files that the guide makes, which are never committed', () => {
    const guide = read('docs/guides/getting-started.md');
    for (const { file } of Object.values(compose.secrets))
      expect(guide).toContain(`> ${file.replace('./', '')}`);
    expect(read('.gitignore')).toContain('\nsecrets/\n');
  });
});

describe('the table of settings in README', () => {
  const rows = [...read('README.md').matchAll(/^\| `([A-Z_]+)` +\|[^|]*\| (secret;)?/gm)];

  it('has every setting, and says which are secret', () => {
    const shown = Object.fromEntries(rows.map(([, name = '', secret]) => [name, secret !== undefined]));
    expect(shown).toEqual(
      Object.fromEntries(Object.entries(settings).map(([name, { secret }]) => [name, secret])),
    );
  });
});
