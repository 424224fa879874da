import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { PgBoss } from 'pg-boss';
import { Transactions } from './transactions.js';

/** Longer than any work that holds a ticket; nothing here expires tickets, so this binds foreign supervisors only. */
const EXPIRE_SECONDS = 2 * 3600;
/** pg-boss re-reads its queues so often; the only query that it makes by itself. */
const CACHE_SECONDS = 3600;
const PUT_BACK_SECONDS = 1;
const UNLIMITED = 2_147_483_647;

/** A ticket in a queue. The id is the caller's own, a uuid v7: within a group, the oldest comes first. */
export interface Ticket {
  id: string;
  group: { id: string; tier: string };
}

/** How many tickets of one group may be out at once, by the group's tier. */
export interface GroupLimits {
  default: number;
  tiers: Record<string, number>;
}

/**
 * The one pg-boss of the process: tickets that wait in line, with a limit per group. A ticket says only that
 * there is work; whoever takes one looks up in its own tables what the work is. Every call joins the caller's
 * transaction. Nothing runs in the background: tickets that were taken stay so until they are put back or removed.
 */
@Injectable()
export class JobQueue implements OnApplicationShutdown {
  private readonly logger = new Logger(JobQueue.name);
  private readonly boss: PgBoss;
  private starting?: Promise<unknown>;

  constructor(transactions: Transactions) {
    this.boss = new PgBoss({
      db: {
        executeSql: async (text, values) => ({
          rows: rowsOf(await transactions.manager.query(text, values)),
        }),
      },
      migrate: false,
      supervise: false,
      schedule: false,
      queueCacheIntervalSeconds: CACHE_SECONDS,
    });
    this.boss.on('error', (error) => this.logger.warn({ msg: 'the job queue failed', err: error }));
  }

  /** Makes the queue when it is not there; to be called once before it is used. */
  async open(queue: string): Promise<void> {
    this.starting ??= this.boss.start();
    await this.starting;
    const putBack = { retryLimit: UNLIMITED, retryDelay: PUT_BACK_SECONDS, retryBackoff: false };
    await this.boss.createQueue(queue, { ...putBack, expireInSeconds: EXPIRE_SECONDS });
  }

  async add(queue: string, { id, group }: Ticket): Promise<void> {
    await this.boss.send(queue, null, { id, group });
  }

  /**
   * Takes up to `most` tickets, oldest first, of groups that have fewer than their limit out; a full page of one
   * group can hide the others, so ask again until nothing comes. Exact only for one taker at a time: the caller holds a lock.
   */
  async take(queue: string, most: number, groupConcurrency: GroupLimits): Promise<string[]> {
    const jobs = await this.boss.fetch(queue, { batchSize: most, groupConcurrency });
    return jobs.map(({ id }) => id);
  }

  /** The ticket keeps its place in line and can be taken again after a second. */
  async putBack(queue: string, id: string): Promise<void> {
    await this.boss.fail(queue, id);
  }

  async remove(queue: string, id: string): Promise<void> {
    await this.boss.deleteJob(queue, id);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.starting?.catch(() => undefined);
    await this.boss.stop({ graceful: false, close: false });
  }
}

/** TypeORM answers an UPDATE or DELETE with its rows and their number, and several statements with nothing. */
function rowsOf(result: unknown): unknown[] {
  if (!Array.isArray(result)) return [];
  return Array.isArray(result[0]) && typeof result[1] === 'number' ? result[0] : result;
}
