// Readers of one task: how long after its time each event is with each of them.
import { Agent, request } from 'node:http';

export function open({ url, key, readers }) {
  const agent = new Agent({ maxSockets: Infinity });
  const delays = [];
  const seen = [];
  let task;

  const now = () => performance.timeOrigin + performance.now();

  const read = (id, since) =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' };
      request(new URL(`/v1/tasks/${id}/events`, url), { agent, headers }, (response) => {
        let rest = '';
        let events = 0;
        response.setEncoding('utf8').on('data', (piece) => {
          const at = now();
          const blocks = (rest + piece).split('\n\n');
          rest = blocks.pop();
          for (const block of blocks) {
            const data = /^data: (.*)$/m.exec(block)?.[1];
            if (!data) continue;
            const { timestamp } = JSON.parse(data);
            events += 1;
            if (Date.parse(timestamp) >= since) delays.push(at - Date.parse(timestamp));
          }
        });
        response.on('error', reject).on('end', () => {
          seen.push(events);
          resolve();
        });
      })
        .on('error', reject)
        .end();
    });

  return {
    /** Says when all are connected and the task has ended: what came before they were there does not count. */
    async call() {
      const body = JSON.stringify({ description: 'Say what a mutex is', model: 'haiku' });
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const answer = await fetch(new URL('/v1/tasks', url), { method: 'POST', headers, body });
      task = await answer.json();
      await Promise.all(Array.from({ length: readers }, () => read(task.id, now() + 2_500)));
    },
    told: () => ({ delays, seen }),
    close: () => agent.destroy(),
  };
}
