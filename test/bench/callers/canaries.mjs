// Completions with a word in each that no other has. A client stays with one key for a while, as applications do.
import { randomBytes } from 'node:crypto';
import { open as http } from './http.mjs';

const CALLS_WITH_A_KEY = 25;
const CANARY = /canary-[0-9a-f]{24}/g;

/** The text that the tokens make. */
const spoken = (events) =>
  [...events.matchAll(/^data: (.*)$/gm)]
    .map(([, data]) => JSON.parse(data))
    .map(({ type, content }) => (type === 'token' ? content : ''))
    .join('');

export function open({ url, keys, clients }) {
  const transport = http({ url, keys });
  const turns = Array.from({ length: clients }, () => 0);
  const wrong = [];
  let answered = 0;

  return {
    async call(client) {
      const turn = (turns[client] += 1);
      // Each client has keys of its own turn by turn, so that each key is used by all of them.
      const key = keys[(client * 7 + Math.floor(turn / CALLS_WITH_A_KEY)) % keys.length];
      const canary = `canary-${randomBytes(12).toString('hex')}`;
      const stream = turn % 2 === 0;
      const system = turn % 3 === 0 ? { system: `You are ${canary}.` } : {};
      const body = { prompt: `Repeat ${canary}.`, model: 'haiku', stream, ...system };
      const { status, said } = await transport.send(key, JSON.stringify(body));
      const answer = status !== 200 ? '' : stream ? spoken(said) : JSON.parse(said).content;
      // Anywhere in what came, and in the text whose pieces may be cut anywhere.
      const told = [...new Set(`${said} ${answer}`.match(CANARY))];
      if (answer === `you said ${canary}` && told.length === 1) answered += 1;
      else if (wrong.length < 20) wrong.push({ status, canary, told, said: said.slice(0, 500) });
    },
    told: () => ({ answered, wrong }),
    close: () => transport.close(),
  };
}
