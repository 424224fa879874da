import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BOX_PROGRAM } from '../../libs/executor/src/sandbox/box-places.js';
import { processes, type SeenProcess, treeOf } from './processes.js';
import { eventsOf } from './test-service.js';

const PATIENCE_MS = 60_000;

/** Waits until this is so; says what it last saw when it never was. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  isSo: (seen: T) => boolean = Boolean,
  withinMs = PATIENCE_MS,
): Promise<T> {
  for (const end = Date.now() + withinMs; ; await sleep(50)) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms: ${JSON.stringify(seen)}`);
  }
}

/** The task routes as one key's holder uses them. */
export class TaskApi {
  constructor(
    public url: string,
    readonly key: string,
  ) {}

  async submit(task: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<string> {
    const { status, body } = await this.post(
      '/v1/tasks',
      { description: 'do it', model: 'haiku', ...task },
      headers,
    );
    if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
    return body.id;
  }

  async post(
    path: string,
    body: unknown = {},
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: any }> {
    const response = await this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  async show(id: string): Promise<any> {
    return (await this.send(`/v1/tasks/${id}`)).json();
  }

  cancel(id: string): Promise<{ status: number; body: any }> {
    return this.post(`/v1/tasks/${id}/cancel`);
  }

  /** The stream, to be read as it comes. */
  follow(id: string, after = 0, signal?: AbortSignal): Promise<Response> {
    return this.send(`/v1/tasks/${id}/events`, { headers: { 'last-event-id': String(after) }, signal });
  }

  /** All that the stream tells until its end. */
  async events(id: string, after = 0): Promise<any[]> {
    return eventsOf(await (await this.follow(id, after)).text());
  }

  /** The task, once it is in this state. */
  until(id: string, isSo: (task: any) => boolean, withinMs?: number): Promise<any> {
    return until('the task', () => this.show(id), isSo, withinMs);
  }

  /** The task, once it has ended. */
  ended(id: string, withinMs?: number): Promise<any> {
    return this.until(id, ({ finished_at: at }) => at !== null, withinMs);
  }

  /** The task, once it has called this many tools. */
  atWork(id: string, calls = 1): Promise<any> {
    const called = ({ execution_log: log }: any) =>
      log.filter(({ type }: any) => type === 'tool_call').length;
    return this.until(id, (task) => called(task) >= calls || task.finished_at !== null);
  }

  private send(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, {
      ...init,
      headers: { authorization: `Bearer ${this.key}`, ...init.headers },
    });
  }
}

/** The box of a run, its outer process first. That one works in the run's folder; those inside see another root. */
export function boxOf(runId: string): SeenProcess[] {
  const outer = processes().find(({ pid }) => workingFolder(pid).endsWith(`/${runId}`));
  return outer ? treeOf(outer.pid) : [];
}

/** The CLI itself, among what is in a box. */
export function cliIn(box: SeenProcess[]): SeenProcess {
  const cli = box.find(({ command }) => command.startsWith(`${BOX_PROGRAM} `));
  if (!cli) throw new Error(`no CLI among ${JSON.stringify(box)}`);
  return cli;
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
