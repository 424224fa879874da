// `query()` of the Agent SDK for each request.
import { query } from '@anthropic-ai/claude-agent-sdk';
import { homesOf, isText, plainOptions } from './plain-cli.mjs';

export function open({ modelUrl, prompt }) {
  const homes = homesOf(modelUrl);
  return {
    prepare: homes.prepare,
    close: homes.close,
    async call(client, onFirst) {
      let result;
      for await (const message of query({ prompt, options: plainOptions(homes.of(client)) })) {
        if (isText(message)) onFirst();
        if (message.type === 'result') result = message;
      }
      if (result?.is_error !== false) throw new Error(`query(): ${JSON.stringify(result)}`);
    },
  };
}
