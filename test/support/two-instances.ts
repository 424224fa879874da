import type { AddressInfo } from 'node:net';
import { Bootstrap } from '@app/auth';
import { createApp } from '../../apps/api/src/create-app.js';
import { startTestService } from './test-service.js';

/** A service of two instances on one database, asked as its administrator or with any key. */
export async function startTwoInstances(env: Record<string, string> = {}) {
  const here = await startTestService(env);
  const other = await createApp(here.config, here.databaseUrl);
  await other.listen(0, '127.0.0.1');
  const there = `http://127.0.0.1:${(other.getHttpServer().address() as AddressInfo).port}`;
  const { key: admin } = (await here.app.get(Bootstrap).ensureAdmin())!;

  async function ask(method: string, url: string, body?: unknown, key = admin) {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  }

  return {
    here,
    admin,
    /** Of the first instance. */
    ask: (method: string, path: string, body?: unknown, key?: string) =>
      ask(method, here.url + path, body, key),
    /** Of the second one. */
    askThere: (method: string, path: string, body?: unknown, key?: string) =>
      ask(method, there + path, body, key),
    stop: async () => {
      await other.close();
      await here.stop();
    },
  };
}

export type TwoInstances = Awaited<ReturnType<typeof startTwoInstances>>;
