import { Command, CommandRunner, Option } from 'nest-commander';
import { type ClientSettings, clientSettings, ConfigError } from '@app/config';
import { UsageError } from '../failures.js';
import { call, jsonOf, refusal } from '../http/live-server.js';
import { streamedAnswer } from '../http/streamed-answer.js';
import { collected, decimal, wholeNumber } from '../option-values.js';
import { readStdin } from '../read-stdin.js';
import { Terminal } from '../terminal.js';

interface CompleteOptions {
  model?: string;
  system?: string;
  maxTokens?: number;
  stop?: string[];
  temperature?: number;
  timeout?: number;
  url?: string;
  json?: boolean;
}

/** What a shell expects of a process that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** One prompt to a running server; the answer appears as it is made. Ctrl-C ends the run as well. */
@Command({
  name: 'complete',
  arguments: '[prompt]',
  argsDescription: { prompt: 'what to answer; left out or "-": read from stdin' },
  description: 'answer one prompt, with the key in CLAUDE_API_KEY',
})
export class CompleteCommand extends CommandRunner {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  override async run([argument]: string[], options: CompleteOptions): Promise<void> {
    const server = clientSettings(options.url);
    if (!server.apiKey) {
      throw new ConfigError(
        'CLAUDE_API_KEY is not set: "claude-api keys create --project-id my-app" makes a key',
      );
    }
    const prompt = await promptOf(argument);
    const stopped = new AbortController();
    const stop = (signal: 'SIGINT' | 'SIGTERM') => {
      this.terminal.exitCode = EXIT_CODES[signal];
      stopped.abort();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await this.complete(server, bodyOf(prompt, options), options.json === true, stopped.signal);
    } catch (error) {
      if (!stopped.signal.aborted) throw error;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
  }

  private async complete(
    server: ClientSettings,
    body: object,
    json: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const response = await call(server, {
      method: 'POST',
      path: '/v1/completions',
      body: { ...body, stream: !json },
      signal,
    });
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await jsonOf(response));
    if (json) this.terminal.json(await jsonOf(response));
    else await streamedAnswer(response, this.terminal);
  }

  @Option({ flags: '--model <model>', description: 'haiku, sonnet, opus, a full id, or auto (default)' })
  parseModel(value: string): string {
    return value;
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

  @Option({ flags: '--timeout <seconds>', description: 'when the run is cut; default: the tier’s' })
  parseTimeout(value: string): number {
    return wholeNumber('--timeout', value, 1, 3600);
  }

  @Option({ flags: '--url <url>', description: 'default: CLAUDE_API_URL, else this machine' })
  parseUrl(value: string): string {
    return value;
  }

  @Option({ flags: '--json', description: 'print the whole answer as one JSON value' })
  parseJson(): boolean {
    return true;
  }
}

async function promptOf(argument: string | undefined): Promise<string> {
  if (argument !== undefined && argument !== '-') return argument;
  if (argument === undefined && process.stdin.isTTY) throw new UsageError('the prompt is missing');
  return readStdin();
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
