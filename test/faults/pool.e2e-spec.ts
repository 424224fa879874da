import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessPool } from '../../libs/executor/src/pool/process-pool.js';
import { ModelStandIn } from '../support/model-stand-in.js';
import { type SeenProcess, treeOf } from '../support/processes.js';
import { startTestService, type TestService } from '../support/test-service.js';

const KEYS = 8;
const TURNS = 15;

/** The outer process of a box of the pool; not of one that a run started for itself when it had lost the other. */
function isOfPool({ pid, command }: SeenProcess): boolean {
  try {
    return command.startsWith('/usr/bin/bwrap') && readlinkSync(`/proc/${pid}/cwd`).includes('/pool_');
  } catch {
    return false;
  }
}

describe('a pool whose processes are killed under load', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService({ POOL: 'on' });
    service.model.script = (request) => ({
      text: `you said ${ModelStandIn.promptOf(request).join()}`,
      chunks: 8,
    });
  });
  afterAll(() => service.stop());

  it('loses no request, and gives nobody the answer of another', async () => {
    const keys = await Promise.all(Array.from({ length: KEYS }, async () => (await service.key()).key));
    let working = KEYS;
    const trouble: unknown[] = [];
    let answered = 0;
    let killed = 0;
    const client = async (key: string, name: number) => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        const prompt = `canary-${name}-${turn}-`;
        const system = `system of canary-${name}-${turn}-`;
        const { status, body } = await service.post(
          '/v1/completions',
          { prompt, system, model: 'haiku' },
          key,
        );
        if (status === 200 && body.content === `you said ${prompt}`) answered += 1;
        else trouble.push({ status, body, prompt });
      }
      working -= 1;
    };
    const killer = async () => {
      while (working > 0) {
        await sleep(1_000);
        const all = treeOf(process.pid).filter(isOfPool);
        const victim = all[killed % Math.max(1, all.length)];
        if (victim) process.kill(victim.pid, 'SIGKILL');
        killed += victim ? 1 : 0;
      }
    };
    await Promise.all([killer(), ...keys.map(client)]);
    expect(trouble).toEqual([]);
    expect(killed).toBeGreaterThan(1);
    expect(answered).toBe(KEYS * TURNS);
    for (const { body } of service.model.journal) {
      expect(new Set(JSON.stringify(body).match(/canary-\d+-\d+-/g)).size).toBe(1);
    }
    expect(service.app.get(ProcessPool).state().hits.recycled).toBeGreaterThan(0);
  }, 180_000);
});
