/** How the broker proves itself to the model's API. Read once; never logged, never inside a sandbox. */
export interface ModelCredential {
  kind: 'api_key' | 'auth_token' | 'oauth_token';
  secret: string;
}

export type SandboxChoice = 'auto' | 'bubblewrap' | 'process';

/**
 * Everything that can be set, validated, in one object; the DI token of the settings. `home` is the one
 * 0700 folder that holds all state. Bytes, counts and seconds are plain integers.
 */
export abstract class AppConfig {
  readonly port: number;
  readonly host: string;
  /** Of web pages, beside our own, that may open a socket. */
  readonly allowedOrigins: string[];
  /** Requests of one address to routes that need no key. */
  readonly unauthenticatedPerMinute: number;
  /** Keys of one address that do not work. */
  readonly failedKeysPerMinute: number;
  readonly home: string;
  /** An external Postgres; absent = the embedded one. */
  readonly databaseUrl?: string;
  readonly role: 'all' | 'api' | 'worker';
  readonly keyPepper: string;
  readonly auditKey: string;
  /** Older audit events are dropped, a month at a time. */
  readonly auditRetentionDays: number;
  /** Older runs and their usage are dropped, a month at a time. */
  readonly ledgerRetentionDays: number;
  /** Older tasks go with their events, a day at a time. */
  readonly taskEventsRetentionDays: number;
  /** The contents of artifacts; their names stay as long as the task. */
  readonly artifactsRetentionDays: number;
  /** Names this installation (its home folder) in run rows and temporary folders. */
  readonly instanceId: string;
  /** Holds workspaces and artifacts; made when it is first needed. */
  readonly blobDir: string;
  readonly maxRuns: number;
  readonly sandbox: SandboxChoice;
  /** Prices of models that the built-in ones do not have, or have otherwise. */
  readonly pricesFile?: string;
  /** The Claude Code CLI to run; absent = the one the SDK ships. */
  readonly cliPath?: string;
  readonly claudeConfigDir: string;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** Absent = the service starts, `/ready` says so and runs answer 503. */
  readonly credential?: ModelCredential;
  readonly modelBaseUrl: string;
  /** Started with `--demo`: answers come from a scripted model. */
  readonly demo: boolean;
}
