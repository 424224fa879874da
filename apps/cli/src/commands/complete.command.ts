import { Command, Option } from 'nest-commander';
import { interruptible } from '../interruptible.js';
import { call, heard, jsonOf, keyedServer, refusal } from '../http/live-server.js';
import { streamedAnswer } from '../http/streamed-answer.js';
import { collected, decimal, wholeNumber } from '../option-values.js';
import { liveProgress, SILENT } from '../progress/progress.js';
import { argumentOrStdin } from '../read-stdin.js';
import { RunCommand, type RunOptions } from '../run.command.js';
import type { Answer, Given } from '../verb.command.js';

interface CompleteOptions extends RunOptions {
  system?: string;
  maxTokens?: number;
  stop?: string[];
  temperature?: number;
}

/** One prompt to a running server; the answer appears as it is made. Ctrl-C ends the run as well. */
@Command({
  name: 'complete',
  arguments: '[prompt]',
  argsDescription: { prompt: 'what to answer; left out or "-": read from stdin' },
  description: 'answer one prompt, with the key in CLAUDE_API_KEY',
})
export class CompleteCommand extends RunCommand<CompleteOptions> {
  protected async answer(
    [argument]: string[],
    options: Given<CompleteOptions & { url?: string }>,
  ): Promise<Answer | undefined> {
    const server = keyedServer(options.url);
    const prompt = await argumentOrStdin('prompt', argument);
    return interruptible(this.terminal, async (signal) => {
      const progress = (await liveProgress(this.terminal)) ?? SILENT;
      progress.now('waiting for the first word');
      try {
        const body = { ...bodyOf(prompt, options), stream: !options.json };
        const response = await call(server, { method: 'POST', path: '/v1/completions', body, signal });
        if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await jsonOf(response));
        if (options.json) return { json: await jsonOf(response), text: '' };
        await streamedAnswer(heard(response, server.url), this.terminal, progress);
        return undefined;
      } finally {
        progress.end();
      }
    });
  }

  @Option({ flags: '--system <text>', description: 'instructions for the model' })
  parseSystem(value: string): string {
    return value;
  }

  @Option({ flags: '--max-tokens <n>', description: 'the most output tokens' })
  parseMaxTokens(value: string): number {
    return wholeNumber('--max-tokens', value, 1, 128_000);
  }

  @Option({ flags: '--stop <text>', description: 'a text at which the answer ends; may be repeated' })
  parseStop(value: string, before?: string[]): string[] {
    return collected(value, before);
  }

  @Option({ flags: '--temperature <t>', description: '0 to 1' })
  parseTemperature(value: string): number {
    return decimal('--temperature', value, 0, 1);
  }
}

function bodyOf(prompt: string, options: CompleteOptions): object {
  return {
    prompt,
    model: options.model,
    system: options.system,
    max_tokens: options.maxTokens,
    stop: options.stop,
    temperature: options.temperature,
    timeout_seconds: options.timeout,
  };
}
