import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { AuthModule, Bootstrap, KeyChanges, KeysService, KeyVerifier } from '@app/auth';
import { Clock, CommonModule } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';

/** The system's time, moved by hand. */
class MovableClock extends Clock {
  private movedMs = 0;

  move(seconds: number): void {
    this.movedMs += seconds * 1000;
  }

  override now(): Date {
    return new Date(Date.now() + this.movedMs);
  }

  override monotonicMs(): number {
    return performance.now() + this.movedMs;
  }
}

/** The part of a server that knows keys, as one process of an installation has it. */
export async function startAuthProcess(
  databaseUrl: string,
  adjust: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
) {
  const home = mkdtempSync(join(tmpdir(), 'auth-process-'));
  const config = loadConfig(
    {},
    {
      CLAUDE_API_HOME: home,
      DATABASE_URL: databaseUrl,
      KEY_PEPPER: 'a pepper that all processes of a test share',
      AUDIT_KEY: 'an audit key that all processes of a test share',
    },
  );
  const clock = new MovableClock();
  const builder = Test.createTestingModule({
    imports: [ConfigModule.of(config), CommonModule, DatabaseModule.forUrl(databaseUrl), AuthModule],
  })
    .overrideProvider(Clock)
    .useValue(clock);
  const module = await adjust(builder).compile();
  const app = module.createNestApplication({ logger: false });
  await app.init();
  return {
    app,
    clock,
    keys: app.get(KeysService),
    verifier: app.get(KeyVerifier),
    changes: app.get(KeyChanges),
    bootstrap: app.get(Bootstrap),
    stop: async () => {
      await app.close();
      rmSync(home, { recursive: true });
    },
  };
}

export type AuthProcess = Awaited<ReturnType<typeof startAuthProcess>>;
