// The CLI's own turn: a process of the Agent SDK for each client, which is told one prompt after the other and
// forgets in between. Nothing of the service is around it.
import { query } from '@anthropic-ai/claude-agent-sdk';
import { isText, plainHome, plainOptions } from './plain-cli.mjs';

const WARM_UP = 2;
const ENDS_WITHIN_MS = 1_000;

const user = (content) => ({ type: 'user', message: { role: 'user', content }, parent_tool_use_id: null });
/** As the service says it: text that is no command. */
const said = (text) => ({ ...user([{ type: 'text', text }]), client_composed: true });
const CLEAR = user('/clear');

/** What is pushed is read in turn. */
function inbox() {
  let wake;
  const items = [];
  return {
    push: (item) => {
      items.push(item);
      wake?.();
    },
    async *read() {
      for (;;) {
        while (items.length > 0) yield items.shift();
        await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}

function startBare(modelUrl, prompt) {
  const home = plainHome(modelUrl);
  const input = inbox();
  const messages = query({ prompt: input.read(), options: plainOptions(home) });
  const until = async (type, onMessage) => {
    for (;;) {
      const { value, done } = await messages.next();
      if (done) throw new Error(`the bare process ended before its ${type}`);
      onMessage?.(value);
      if (value.type === type) return value;
    }
  };
  return {
    async turn(onFirst) {
      input.push(said(prompt));
      const { is_error: isError } = await until('result', (message) => isText(message) && onFirst());
      if (isError) throw new Error('the bare process failed');
    },
    async forget() {
      input.push(CLEAR);
      await until('conversation_reset');
      await until('result');
    },
    end() {
      messages.close();
      // It writes until it has ended.
      setTimeout(home.remove, ENDS_WITHIN_MS);
    },
  };
}

export function open({ modelUrl, prompt }) {
  const processes = [];
  return {
    async prepare(clients) {
      while (processes.length < clients) {
        const started = startBare(modelUrl, prompt);
        processes.push(started);
        // The first turns of a process are not like those that follow.
        for (let turn = 0; turn < WARM_UP; turn += 1) {
          await started.turn(() => undefined);
          await started.forget();
        }
      }
    },
    call: (client, onFirst) => processes[client].turn(onFirst),
    rest: (client) => processes[client].forget(),
    close: () => processes.forEach((each) => each.end()),
  };
}
