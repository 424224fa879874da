import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '@app/common';
import { Notifications } from '@app/database';
import { EVENTS_CHANNEL, TaskEventsRepository } from '../store/task-events.repository.js';
import type { TaskEvent } from '../task-event.js';
import { isFinished } from '../task.js';
import { SharedPages } from './shared-pages.js';

const PAGE = 100;
/** No event has a higher number: the largest integer of the column. */
const LAST_SEQ = 2 ** 31 - 1;
/** A notification may be lost: whoever reads also looks by itself. */
const LOOK_EVERY_MS = 1_500;
/** Less than what the HTTP server gives its clients at shutdown. */
const LAST_WORDS_MS = 2_000;

/**
 * The events of a task as they come: first those that are stored, then the new ones, without gap or repeat,
 * until the last one of the task, the reader's signal or the end of this process.
 */
@Injectable()
export class TaskEvents implements OnModuleInit, BeforeApplicationShutdown {
  private readonly readers = new Map<string, Set<() => void>>();
  private readonly pages: SharedPages;
  private readonly closing = new AbortController();

  constructor(
    private readonly notifications: Notifications,
    events: TaskEventsRepository,
  ) {
    this.pages = new SharedPages(events, PAGE);
  }

  onModuleInit(): void {
    this.notifications.listen(EVENTS_CHANNEL, (id) => this.wake(id));
    this.notifications.onReconnect(() => {
      for (const id of this.readers.keys()) this.wake(id);
    });
  }

  /** No run is left in this process: only the last words of those that were just cut may still come. */
  beforeApplicationShutdown(): void {
    setTimeout(() => this.closing.abort(), LAST_WORDS_MS).unref();
  }

  /** The events with a number over `after`. */
  async *read(taskId: string, after: number, signal: AbortSignal): AsyncGenerator<TaskEvent> {
    const ended = AbortSignal.any([signal, this.closing.signal]);
    let last = after;
    while (!ended.aborted) {
      // Listens before it looks: what is written between the two wakes it.
      const news = this.next(taskId, ended);
      const page = await this.page(taskId, last);
      if (page) {
        for (const event of page.events) {
          if (ended.aborted) break;
          last = event.seq;
          yield event;
        }
        if (page.events.length === PAGE) {
          news.forget();
          continue;
        }
      }
      if (page === null || (page && isFinished(page.status))) {
        news.forget();
        return;
      }
      await news.come;
    }
  }

  /** Resolves when the task has ended, or with the signal. */
  async end(taskId: string, signal: AbortSignal): Promise<void> {
    const news = this.read(taskId, LAST_SEQ, signal);
    while (!(await news.next()).done);
  }

  private wake(id: string): void {
    this.pages.forget(id);
    this.readers.get(id)?.forEach((wake) => wake());
  }

  /** Null = there is no such task; undefined = the database is away, and will tell later. */
  private async page(taskId: string, after: number) {
    try {
      return (await this.pages.after(taskId, after)) ?? null;
    } catch (error) {
      if (error instanceof AppError && error.code === 'database_unavailable') return undefined;
      throw error;
    }
  }

  private next(taskId: string, ended: AbortSignal): { come: Promise<void>; forget: () => void } {
    let forget!: () => void;
    const come = new Promise<void>((resolve) => {
      const wakes = this.readers.get(taskId) ?? new Set();
      this.readers.set(taskId, wakes);
      forget = () => {
        clearTimeout(timer);
        ended.removeEventListener('abort', forget);
        wakes.delete(forget);
        if (wakes.size === 0 && this.readers.get(taskId) === wakes) this.readers.delete(taskId);
        resolve();
      };
      const timer = setTimeout(forget, LOOK_EVERY_MS);
      wakes.add(forget);
      ended.addEventListener('abort', forget, { once: true });
    });
    return { come, forget };
  }
}
