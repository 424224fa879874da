import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Module, Res } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';
import { AppError, Public } from '@app/common';
import { type AppConfig, ConfigModule } from '@app/config';
import { createSurface } from '../../apps/api/src/configure-app.js';
import { Draining } from '../../apps/api/src/draining.js';
import { HealthModule } from '../../apps/api/src/health/health.module.js';
import type { PartState } from '../../apps/api/src/health/readiness.js';
import { envelope } from '../support/raw-http.js';

@Controller('fails')
@Public()
class FailingController {
  @Get('defect')
  defect() {
    throw new Error('secret of /etc/passwd', { cause: new Error('deeper') });
  }

  @Get('nothing')
  nothing() {
    // oxlint-disable-next-line no-throw-literal
    throw undefined;
  }

  @Get('later')
  later() {
    throw new AppError('overloaded', 'come back later', { retryAfterSeconds: 1.2, details: { queue: 3 } });
  }

  @Get('stream')
  async stream(@Res() response: Response) {
    response.write('half of an ans');
    await sleep(20);
    throw new Error('too late for an envelope');
  }
}

const parts: Record<string, () => PartState | Promise<PartState>> = {};

@Module({
  imports: [
    ConfigModule.of({ demo: false } as AppConfig),
    HealthModule.checking({
      useFactory: () => ['database', 'credential'].map((name) => ({ name, check: () => parts[name]!() })),
    }),
  ],
  controllers: [FailingController],
})
class SurfaceModule {}

/** The surface on its own, around routes that go wrong in every way. */
describe('the surface', () => {
  let app: NestExpressApplication;
  let url: string;
  let log: any[] = [];
  const draining = new Draining();

  beforeAll(async () => {
    const logSink = { write: (line: string) => void log.push(JSON.parse(line)) };
    const config = { logLevel: 'debug' } as AppConfig;
    app = await createSurface(SurfaceModule, config, { draining, logSink });
    await app.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    log = [];
    draining.hasBegun = false;
    for (const name of ['database', 'credential']) parts[name] = () => ({ ok: true });
  });
  afterAll(() => app.close());

  it.each(['defect', 'nothing'])(
    '500 with generic text for a defect (%s), which is logged whole',
    async (route) => {
      const response = await fetch(`${url}/fails/${route}`);
      const text = await response.text();
      expect([response.status, JSON.parse(text)]).toEqual([500, envelope('internal_error')]);
      expect(text).not.toMatch(/passwd|Error:|at |deeper/);
      const entry = log.find(({ level }) => level === 50);
      expect(entry).toMatchObject({
        request_id: response.headers.get('x-request-id'),
        err: { stack: expect.any(String) },
      });
    },
  );

  it('gives retry-after in whole seconds, rounded up, and the details', async () => {
    const response = await fetch(`${url}/fails/later`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await response.json()).toMatchObject({ error: { details: { queue: 3 } } });
  });

  it('cuts an answer that fails on the way, so that it cannot pass for a whole one', async () => {
    const response = await fetch(`${url}/fails/stream`);
    await expect(response.text()).rejects.toThrow();
    await sleep(100); // the server hears of its own cut a moment later
    expect(log.map(({ msg }) => msg)).toContain('request given up');
  });

  it('is ready when every part is', async () => {
    const response = await fetch(`${url}/ready`);
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'ready', checks: { database: { ok: true }, credential: { ok: true } } },
    ]);
  });

  it('is not ready when a part says no, fails or does not answer, and is alive all the same', async () => {
    parts.credential = () => ({ ok: false, detail: 'missing' });
    parts.database = () => Promise.reject(new Error('password=hunter2'));
    const response = await fetch(`${url}/ready`);
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        status: 'not_ready',
        checks: {
          database: { ok: false, detail: 'the check failed' },
          credential: { ok: false, detail: 'missing' },
        },
      },
    ]);
    parts.database = () => new Promise(() => {});
    const late: any = await (await fetch(`${url}/ready`)).json();
    expect(late.checks.database).toEqual({ ok: false, detail: 'no answer within 2 s' });
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.json()]).toEqual([
      200,
      {
        status: 'ok',
        version: expect.stringMatching(/^\d/),
        uptime_seconds: expect.any(Number),
        demo: false,
      },
    ]);
  });

  it('takes no new work while shutting down, is not ready then, but still alive', async () => {
    draining.hasBegun = true;
    for (const path of ['/fails/later', '/ready']) {
      const response = await fetch(url + path);
      expect([response.status, response.headers.get('connection')]).toEqual([503, 'close']);
      expect(await response.json()).toEqual(envelope('shutting_down'));
    }
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
