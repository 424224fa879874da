import { randomUUID } from 'node:crypto';
import type { ClientSettings } from '@app/config';
import type { TaskDto, TaskListDto } from '@app/tasks';
import { PassingFailure } from '../failures.js';
import type { ToldEvent } from '../progress/event-words.js';
import type { EventPage, TaskQuery, TaskReader } from '../task-reader.js';
import { eventData } from './event-stream.js';
import { call, heard, jsonOf, refusal } from './live-server.js';
import { Patience } from './patience.js';

/** A server writes something every 15 s, if only that it is still here. */
const LONGEST_SILENCE_MS = 45_000;
const LARGEST_PAGE = 200;

/** The task routes, as the holder of a key uses them. A connection that is cut costs time, never an event or a task. */
export class TaskClient implements TaskReader {
  constructor(private readonly server: ClientSettings) {}

  /** Tried again when the connection is lost; the server makes one task of it all the same. */
  async submit(body: object, signal: AbortSignal): Promise<TaskDto> {
    const headers = { 'idempotency-key': randomUUID() };
    const patience = new Patience();
    for (let lost = false; ;) {
      try {
        return await this.ask<TaskDto>('POST', '/v1/tasks', { body, headers });
      } catch (error) {
        const { code } = error as { code?: string };
        lost ||= code === 'connection_lost';
        const passes = error instanceof PassingFailure || code === 'idempotency_in_flight';
        if (!lost || !passes) throw error;
        await patience.wait(error as Error, signal);
      }
    }
  }

  list(query: TaskQuery): Promise<TaskListDto> {
    return this.ask('GET', `/v1/tasks?${parameters({ ...query })}`);
  }

  show(id: string): Promise<TaskDto> {
    return this.ask('GET', pathOf(id));
  }

  cancel(id: string): Promise<TaskDto> {
    return this.ask('POST', `${pathOf(id)}/cancel`, { body: {} });
  }

  eventPage(id: string, after: number): Promise<EventPage> {
    const path = `${pathOf(id)}/events?${parameters({ after, limit: LARGEST_PAGE })}`;
    return this.ask('GET', path, { headers: { accept: 'application/json' } });
  }

  /**
   * The events after the one numbered `after`, until the task's last. When the connection is cut it is made again
   * behind the last event that was seen; `onCut` is told why.
   */
  async *follow(
    id: string,
    { after = 0, signal, onCut }: { after?: number; signal?: AbortSignal; onCut: (reason: string) => void },
  ): AsyncGenerator<ToldEvent> {
    const patience = new Patience();
    for (let last = after; ;) {
      let cut: Error = new PassingFailure('the server ended the stream', 'stream_cut');
      const before = last;
      try {
        for await (const event of this.stream(id, last, signal)) {
          last = event.seq;
          patience.restore();
          yield event;
          if (event.type === 'result') return;
        }
        if (last === before && (await this.show(id)).finished_at) return;
      } catch (error) {
        if (!(error instanceof PassingFailure)) throw error;
        cut = error;
      }
      onCut(cut.message);
      await patience.wait(cut, signal);
    }
  }

  private async *stream(id: string, after: number, signal?: AbortSignal): AsyncGenerator<ToldEvent> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(after) };
    const response = await call(this.server, {
      method: 'GET',
      path: `${pathOf(id)}/events`,
      headers,
      signal,
    });
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await this.bodyOf(response));
    const silent = Object.assign(new Error('silent'), { code: 'ETIMEDOUT' });
    response.setTimeout(LONGEST_SILENCE_MS, () => response.destroy(silent));
    for await (const data of eventData(heard(response, this.server.url))) yield JSON.parse(data) as ToldEvent;
  }

  private async ask<T>(
    method: 'GET' | 'POST',
    path: string,
    more: { body?: object; headers?: Record<string, string> } = {},
  ): Promise<T> {
    const response = await call(this.server, { method, path, ...more });
    const body = await this.bodyOf(response);
    const status = response.statusCode ?? 0;
    if (status >= 300 || typeof body !== 'object') throw refusal(status, body);
    return body as T;
  }

  private bodyOf(response: AsyncIterable<Uint8Array>): Promise<unknown> {
    return jsonOf(heard(response, this.server.url));
  }
}

const pathOf = (id: string): string => `/v1/tasks/${encodeURIComponent(id)}`;

function parameters(values: Record<string, string | number | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}
