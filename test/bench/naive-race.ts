import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const LIMIT = 1_000_000_000;

/** Control: what gateways do that check a counter, call, and then add. The same number of clients, one budget. */
export async function naiveRace(url: string, clients: number) {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  await pool.query('CREATE TABLE naive (spent bigint NOT NULL); INSERT INTO naive VALUES (0)');
  const client = async () => {
    for (;;) {
      const { rows } = await pool.query('SELECT spent FROM naive');
      if (Number(rows[0].spent) >= LIMIT) return;
      await sleep(Math.random() * 25);
      await pool.query('UPDATE naive SET spent = spent + $1', [Math.ceil(Math.random() * 80_000_000)]);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const { rows } = await pool.query('SELECT spent FROM naive');
  await pool.end();
  const spent = Number(rows[0].spent);
  return { limit_nano: LIMIT, spent_nano: spent, over_limit_percent: (100 * (spent - LIMIT)) / LIMIT };
}
