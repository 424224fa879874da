// Completions over the WebSocket. `history`: a conversation of some turns each time. A socket takes 20 frames a second
// and a key has 10 sockets: two such callers may have the same keys.
import { once } from 'node:events';
import { WebSocket } from 'ws';

const SOCKETS_PER_KEY = 5;

const turn = (index) => ({
  role: index % 2 ? 'assistant' : 'user',
  content: `This is turn ${index} of many.`,
});
const HISTORY = Array.from({ length: 6 }, (_, index) => turn(index));

export async function open({ url, keys, prompt, history = false }) {
  const waiting = new Map();
  let calls = 0;
  let isClosing = false;

  async function connect(key) {
    const headers = { authorization: `Bearer ${key}` };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, { headers });
    socket.on('message', (data) => {
      const frame = JSON.parse(data);
      waiting.get(frame.id)?.(frame);
      if (frame.type === 'error' && !waiting.has(frame.id)) throw new Error(String(data));
    });
    socket.on('close', (code) => {
      if (!isClosing) throw new Error(`the socket was closed with ${code}`);
    });
    await once(socket, 'message'); // ready
    return socket;
  }
  const connected = keys.map((key) =>
    Promise.all(Array.from({ length: SOCKETS_PER_KEY }, () => connect(key))),
  );
  const sockets = await Promise.all(connected);

  const asked = () =>
    history
      ? { type: 'chat', messages: [...HISTORY, { role: 'user', content: prompt }] }
      : { type: 'completion', prompt };

  return {
    call: (client, onFirst) =>
      new Promise((resolve, reject) => {
        calls += 1;
        const id = String(calls);
        waiting.set(id, (frame) => {
          if (frame.type === 'token') onFirst();
          if (frame.type !== 'done' && frame.type !== 'error') return;
          waiting.delete(id);
          if (frame.type === 'done') resolve();
          else reject(new Error(JSON.stringify(frame)));
        });
        const own = sockets[client % keys.length];
        own[calls % own.length].send(JSON.stringify({ ...asked(), id, model: 'haiku' }));
      }),
    close: () => {
      isClosing = true;
      for (const socket of sockets.flat()) socket.terminate();
    },
  };
}
