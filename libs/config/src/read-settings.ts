import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ConfigError } from './config-error.js';
import { SETTINGS, type SettingName, type SettingSource, type SettingValues } from './settings.js';

export type Environment = Record<string, string | undefined>;
interface Settings {
  values: SettingValues;
  sources: Record<SettingName, SettingSource>;
}

/**
 * Resolves every setting: environment, then `NAME_FILE` for secrets, then `config.yaml` in the home folder,
 * then the default. Throws one `ConfigError` that names each setting at fault.
 */
export function readSettings(env: Environment): Settings {
  refuseUnsupported(env);
  const home = SETTINGS.CLAUDE_API_HOME.schema.parse(env.CLAUDE_API_HOME || undefined);
  const file = readConfigFile(join(home, 'config.yaml'));
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  const problems: string[] = [];
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const [raw, source] = lookUp(name, env, file);
    const parsed = SETTINGS[name].schema.safeParse(raw);
    if (parsed.success) {
      values[name] = parsed.data;
      sources[name] = raw === undefined && parsed.data === undefined ? 'unset' : source;
    } else {
      problems.push(`${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(`bad configuration: ${problems.join('; ')}`);
  return { values: values as SettingValues, sources: sources as Record<SettingName, SettingSource> };
}

function lookUp(
  name: SettingName,
  env: Environment,
  file: Record<string, unknown>,
): [unknown, SettingSource] {
  if (env[name]) return [env[name], 'environment'];
  const path = SETTINGS[name].secret ? env[`${name}_FILE`] : undefined;
  if (path) return [readSecretFile(name, path), 'environment file'];
  if (file[name] !== undefined && file[name] !== null) return [file[name], 'config.yaml'];
  return [undefined, 'default'];
}

function readSecretFile(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`cannot read the file that ${name}_FILE names: ${path}`, { cause });
  }
}

function readConfigFile(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`${path} is not readable YAML`, { cause });
  }
  if (content === null) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new ConfigError(`${path} must hold NAME: value lines`);
  }
  const unknown = Object.keys(content).filter((key) => !(key in SETTINGS));
  if (unknown.length > 0) throw new ConfigError(`${path}: unknown setting ${unknown.join(', ')}`);
  return content as Record<string, unknown>;
}

function refuseUnsupported(env: Environment): void {
  for (const name of ['CLAUDE_CODE_USE_BEDROCK', 'CLAUDE_CODE_USE_VERTEX']) {
    if (env[name] && env[name] !== '0') {
      throw new ConfigError(
        `${name} is set, but Bedrock and Vertex are not supported yet: unset it and use ANTHROPIC_API_KEY`,
      );
    }
  }
}
