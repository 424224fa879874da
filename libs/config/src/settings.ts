import { homedir, availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const number = () => z.coerce.number('must be a number').int('must be a whole number');
const port = number().min(0).max(65_535);
const perMinute = number().min(1).max(1_000_000_000);
/** What an HTTP header can carry: a line break or a `…` that was pasted along would fail every run. */
const headerSafe = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
  .optional();
/** As browsers send them: scheme, host and port, nothing after. */
const origins = z
  .string()
  .transform((list) => list.split(/[\s,]+/).filter(Boolean))
  .refine(
    (list) => list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
    'must be origins such as https://app.example.com, with commas between',
  );
const expandHome = (path: string) => resolve(path.replace(/^~(?=$|[/\\])/, homedir()));

/**
 * The settings table: one row per environment variable (or `config.yaml` key of the same name).
 * `secret` values may also come from the file named by `NAME_FILE` and are masked by `config show`.
 */
export const SETTINGS = {
  PORT: { schema: port.default(8006), secret: false },
  HOST: { schema: z.string().min(1).default('127.0.0.1'), secret: false },
  CLAUDE_API_HOME: {
    schema: z.string().min(1).transform(expandHome).default(join(homedir(), '.claude-api')),
    secret: false,
  },
  DATABASE_URL: {
    schema: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must look like postgres://user:password@host:5432/name')
      .optional(),
    secret: true,
  },
  ALLOWED_ORIGINS: { schema: origins.default([]), secret: false },
  UNAUTHENTICATED_PER_MINUTE: { schema: perMinute.default(120), secret: false },
  FAILED_KEYS_PER_MINUTE: { schema: perMinute.default(20), secret: false },
  ROLE: { schema: z.enum(['all', 'api', 'worker']).default('all'), secret: false },
  BLOB_DIR: { schema: z.string().min(1).transform(expandHome).optional(), secret: false },
  KEY_PEPPER: { schema: z.string().min(32, 'must have at least 32 characters').optional(), secret: true },
  AUDIT_KEY: { schema: z.string().min(32, 'must have at least 32 characters').optional(), secret: true },
  AUDIT_RETENTION_DAYS: { schema: number().min(30).max(36_500).default(400), secret: false },
  LEDGER_RETENTION_DAYS: { schema: number().min(30).max(36_500).default(400), secret: false },
  TASK_EVENTS_RETENTION_DAYS: { schema: number().min(1).max(36_500).default(30), secret: false },
  ARTIFACTS_RETENTION_DAYS: { schema: number().min(1).max(36_500).default(7), secret: false },
  MAX_RUNS: {
    schema: number()
      .min(1)
      .max(1024)
      .default(2 * availableParallelism()),
    secret: false,
  },
  SANDBOX: {
    schema: z.enum(['auto', 'bubblewrap', 'process'], 'must be auto, bubblewrap or process').default('auto'),
    secret: false,
  },
  PRICES_FILE: { schema: z.string().min(1).transform(expandHome).optional(), secret: false },
  CLAUDE_CLI_PATH: { schema: z.string().min(1).transform(expandHome).optional(), secret: false },
  CLAUDE_CONFIG_DIR: {
    schema: z.string().min(1).transform(expandHome).default(join(homedir(), '.claude')),
    secret: false,
  },
  LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    secret: false,
  },
  ANTHROPIC_API_KEY: { schema: headerSafe, secret: true },
  ANTHROPIC_AUTH_TOKEN: { schema: headerSafe, secret: true },
  CLAUDE_CODE_OAUTH_TOKEN: { schema: headerSafe, secret: true },
  ANTHROPIC_BASE_URL: {
    schema: z.url({ protocol: /^https?$/ }).default('https://api.anthropic.com'),
    secret: false,
  },
} as const;

export type SettingName = keyof typeof SETTINGS;
export type SettingValues = { [K in SettingName]: z.output<(typeof SETTINGS)[K]['schema']> };
export type SettingSource = 'environment' | 'environment file' | 'config.yaml' | 'default' | 'unset';
