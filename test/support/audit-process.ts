import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import pg from 'pg';
import { type AuditEvent, AuditLog, AuditModule } from '@app/audit';
import { Clock, CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';
import { createTestDatabase } from './test-database.js';

export const AUDIT_KEY = 'an audit key that all processes of a test share';

/** The system's time, moved by hand. */
class MovableClock extends Clock {
  private movedMs = 0;

  move(days: number): void {
    this.movedMs += days * 86_400_000;
  }

  override now(): Date {
    return new Date(Date.now() + this.movedMs);
  }

  override monotonicMs(): number {
    return performance.now() + this.movedMs;
  }
}

/** The audit as a process has it, on a database of its own, beside a superuser who tampers with it. */
export class AuditProcess {
  private constructor(
    readonly home: string,
    readonly databaseUrl: string,
    readonly clock: MovableClock,
    readonly app: TestingModule,
    readonly intruder: pg.Client,
    private readonly undo: () => Promise<void>,
  ) {}

  static async start(): Promise<AuditProcess> {
    const database = await createTestDatabase();
    return AuditProcess.startOn(database.url, () => database.drop());
  }

  static async startOn(databaseUrl: string, drop = () => Promise.resolve()): Promise<AuditProcess> {
    const home = await mkdtemp(join(tmpdir(), 'audit-process-'));
    const clock = new MovableClock();
    const app = await moduleFor(home, databaseUrl, clock);
    const intruder = new pg.Client(databaseUrl);
    await intruder.connect();
    return new AuditProcess(home, databaseUrl, clock, app, intruder, async () => {
      await intruder.end();
      await app.close();
      await drop();
      await rm(home, { recursive: true });
    });
  }

  /** Another process of the installation. */
  another(env: Record<string, string> = {}): Promise<TestingModule> {
    return moduleFor(this.home, this.databaseUrl, this.clock, env);
  }

  get log(): AuditLog {
    return this.app.get(AuditLog);
  }

  async append(count: number, more: Partial<AuditEvent> = {}): Promise<void> {
    for (let n = 1; n <= count; n++) await this.log.append(auditEvent(`key_${n}`, more));
  }

  /** What the trigger refuses, done by somebody who may switch it off. */
  async tamper(sql: string): Promise<void> {
    for (const table of ['audit_events', 'audit_checkpoints']) {
      await this.intruder.query(`ALTER TABLE ${table} DISABLE TRIGGER ALL`);
    }
    await this.intruder.query(sql);
    for (const table of ['audit_events', 'audit_checkpoints']) {
      await this.intruder.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER append_only`);
    }
  }

  stop(): Promise<void> {
    return this.undo();
  }
}

export function auditEvent(target: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    type: 'key.created',
    project: 'my-app',
    actor: { kind: 'operator', id: 'terminal' },
    target: { kind: 'key', id: target },
    outcome: 'ok',
    ...more,
  };
}

async function moduleFor(
  home: string,
  url: string,
  clock: Clock,
  env: Record<string, string> = {},
): Promise<TestingModule> {
  const config = loadConfig({}, { CLAUDE_API_HOME: home, AUDIT_KEY, ...env });
  const imports = [CommonModule, ConfigModule.of(config), DatabaseModule.forUrl(url), AuditModule];
  const builder = Test.createTestingModule({ imports }).overrideProvider(Clock).useValue(clock);
  const module = await builder.compile();
  module.useLogger(false);
  return module.init();
}
