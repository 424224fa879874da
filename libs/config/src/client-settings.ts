import { z } from 'zod';
import { ConfigError } from './config-error.js';
import { type Environment, readSettings } from './read-settings.js';

/** Where the live commands find the service, and the key that they present. `url` has no slash at its end. */
export interface ClientSettings {
  url: string;
  apiKey?: string;
}

/** `wanted`, else `CLAUDE_API_URL`, else this machine on the configured port; and `CLAUDE_API_KEY`. */
export function clientSettings(wanted?: string, env: Environment = process.env): ClientSettings {
  const url = wanted || env.CLAUDE_API_URL || `http://localhost:${readSettings(env).values.PORT}`;
  if (!z.url({ protocol: /^https?$/ }).safeParse(url).success) {
    throw new ConfigError(`${wanted ? '--url' : 'CLAUDE_API_URL'} must look like http://host:8006`);
  }
  if (/[^\x21-\x7e]/.test(env.CLAUDE_API_KEY ?? '')) {
    throw new ConfigError(
      'CLAUDE_API_KEY is not a key: it holds a space, a line break or a special character',
    );
  }
  return { url: url.replace(/\/+$/, ''), apiKey: env.CLAUDE_API_KEY || undefined };
}
