import type { AppConfig, ModelCredential } from './app-config.js';
import { defaultBlobDir, ensureHome, keptSecret } from './home-folder.js';
import { type Environment, readSettings } from './read-settings.js';
import { SETTINGS, type SettingName, type SettingSource, type SettingValues } from './settings.js';

interface ConfigOverrides {
  demo?: boolean;
  port?: number;
  host?: string;
  credential?: ModelCredential;
  modelBaseUrl?: string;
  claudeConfigDir?: string;
}

/**
 * Reads the whole configuration once. Source: environment, `NAME_FILE`, `config.yaml`, defaults.
 * Makes the home folder and the secrets kept in it. Throws `ConfigError` with one line for the operator.
 */
export function loadConfig(overrides: ConfigOverrides = {}, env: Environment = process.env): AppConfig {
  const { values } = readSettings(env);
  const home = values.CLAUDE_API_HOME;
  ensureHome(home);
  const instanceId = keptSecret(home, 'instance-id').slice(0, 12);
  return {
    port: overrides.port ?? values.PORT,
    host: overrides.host ?? values.HOST,
    allowedOrigins: values.ALLOWED_ORIGINS,
    unauthenticatedPerMinute: values.UNAUTHENTICATED_PER_MINUTE,
    failedKeysPerMinute: values.FAILED_KEYS_PER_MINUTE,
    home,
    databaseUrl: values.DATABASE_URL,
    role: values.ROLE,
    keyPepper: values.KEY_PEPPER ?? keptSecret(home, 'key-pepper'),
    auditKey: values.AUDIT_KEY ?? keptSecret(home, 'audit-key'),
    auditRetentionDays: values.AUDIT_RETENTION_DAYS,
    ledgerRetentionDays: values.LEDGER_RETENTION_DAYS,
    taskEventsRetentionDays: values.TASK_EVENTS_RETENTION_DAYS,
    artifactsRetentionDays: values.ARTIFACTS_RETENTION_DAYS,
    // An api and a worker of one home are two: what one of them left is not the other's to clear.
    instanceId: values.ROLE === 'all' ? instanceId : `${instanceId}-${values.ROLE}`,
    blobDir: values.BLOB_DIR ?? defaultBlobDir(home, instanceId),
    maxRuns: values.MAX_RUNS,
    sandbox: values.SANDBOX,
    pricesFile: values.PRICES_FILE,
    cliPath: values.CLAUDE_CLI_PATH,
    claudeConfigDir: overrides.claudeConfigDir ?? values.CLAUDE_CONFIG_DIR,
    logLevel: values.LOG_LEVEL,
    credential: overrides.credential ?? credentialOf(values),
    modelBaseUrl: overrides.modelBaseUrl ?? values.ANTHROPIC_BASE_URL,
    demo: overrides.demo ?? false,
  };
}

/** Which program `serve` starts. Bad settings are for that program to report. */
export function configuredRole(env: Environment = process.env): AppConfig['role'] {
  try {
    return readSettings(env).values.ROLE;
  } catch {
    return 'all';
  }
}

/** One row of `config show`: the value in force (secrets masked) and where it came from. */
export interface ShownSetting {
  name: SettingName;
  value: string | number | null;
  source: SettingSource;
}

/** What `config show` prints. Makes nothing; throws `ConfigError` like `loadConfig`. */
export function showConfig(env: Environment = process.env): ShownSetting[] {
  const { values, sources } = readSettings(env);
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const held = values[name] ?? null;
    const value = Array.isArray(held) ? held.join(', ') : held;
    return { name, value: SETTINGS[name].secret && value !== null ? '(set)' : value, source: sources[name] };
  });
}

/** The same precedence as the CLI's own: an API key wins over a token, a token over a subscription. */
function credentialOf(values: SettingValues): ModelCredential | undefined {
  if (values.ANTHROPIC_API_KEY) return { kind: 'api_key', secret: values.ANTHROPIC_API_KEY };
  if (values.ANTHROPIC_AUTH_TOKEN) return { kind: 'auth_token', secret: values.ANTHROPIC_AUTH_TOKEN };
  if (values.CLAUDE_CODE_OAUTH_TOKEN) return { kind: 'oauth_token', secret: values.CLAUDE_CODE_OAUTH_TOKEN };
  return undefined;
}
