// `POST /v1/completions` over connections that stay open. `stream`: as server-sent events. `system`: another one each
// time. `path`: a GET of this instead.
import { Agent, request } from 'node:http';

export function open({ url, keys, prompt, stream = false, system = false, path }) {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  let calls = 0;
  const body = () =>
    JSON.stringify({
      ...{ prompt, model: 'haiku', stream },
      ...(system ? { system: `You are number ${(calls += 1)}.` } : {}),
    });

  const send = (key, text, onText) =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${key}` };
      if (text) Object.assign(headers, { 'content-type': 'application/json' });
      const sent = request(
        new URL(path ?? '/v1/completions', url),
        { agent, method: text ? 'POST' : 'GET', headers },
        (response) => {
          let said = '';
          response.setEncoding('utf8').on('error', reject);
          response.on('data', (piece) => {
            said += piece;
            onText?.(said);
          });
          response.on('end', () => resolve({ status: response.statusCode, said }));
        },
      );
      sent.on('error', reject).end(text);
    });

  return {
    send,
    async call(client, onFirst) {
      const onText = stream ? (said) => said.includes('event: token') && onFirst() : undefined;
      const { status, said } = await send(keys[client % keys.length], path ? '' : body(), onText);
      if (status !== 200) throw new Error(`${status}: ${said}`);
      if (stream && !said.includes('event: done')) throw new Error(`not ended well: ${said}`);
      if (!stream) JSON.parse(said);
    },
    close: () => agent.destroy(),
  };
}
