// The scripted model in a process of its own, so that what it takes is not taken for the service's. Says what it is
// told to say, or `echo`: the canary of its prompt, and notes requests that hold another one as well.
import { ModelStandIn } from '../../support/model-stand-in.ts';

const CANARY = /canary-[0-9a-f]{24}/g;

const model = await ModelStandIn.start();
let answer = {};
const seen = { requests: 0, foreign: [] };

model.script = (request) => {
  model.journal.length = 0;
  return answer.echo ? echo(request) : answer;
};

function echo({ headers, body }) {
  seen.requests += 1;
  const canaries = new Set(JSON.stringify([headers, body]).match(CANARY));
  if (canaries.size !== 1) seen.foreign.push([...canaries]);
  return { text: `you said ${[...canaries].join()}`, chunks: 4 };
}

process.on('message', (next) => {
  answer = next.answer ?? answer;
  process.send({ seen });
});
process.on('disconnect', () => process.exit());
process.send({ url: model.url });
