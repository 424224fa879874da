import { Injectable } from '@nestjs/common';
import { AppConfig, type ModelCredential } from '@app/config';
import { Agent, type Dispatcher, request } from 'undici';

/** Headers of the CLI that the model's API needs; everything else (above all credentials) stays here. */
const FORWARDED =
  /^(anthropic-(?!dangerous)|x-stainless-|x-claude-code-|x-app$|user-agent$|accept$|content-type$)/;

/** Nothing was sent. */
export class MissingCredential extends Error {}

/** An answer of the model's API, whatever its status; the body as it comes. */
export type UpstreamAnswer = Dispatcher.ResponseData;

/**
 * Talks to the model's API with the real credential. The only place that holds it; a run's own token and any
 * credential that a sandbox may have put into its request never leave the machine.
 */
@Injectable()
export class Upstream {
  // A model may think for long; how long a run may take is its own deadline. Not `fetch`: it leaves to the garbage
  // collector what then outlives many other requests.
  private readonly connections = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

  constructor(private readonly config: AppConfig) {}

  /** Rejects when there is no connection, or a redirection; every other HTTP answer, errors too, resolves. */
  async send(
    path: string,
    headers: NodeJS.Dict<string | string[]>,
    body: string,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    if (!this.config.credential) throw new MissingCredential('no credential for the model’s API');
    const answer = await request(this.urlOf(path), {
      dispatcher: this.connections,
      method: 'POST',
      headers: {
        ...forwardedHeaders(headers),
        ...credentialHeader(this.config.credential),
        // Metering reads the answer as it passes; unpacking it first would only cost time.
        'accept-encoding': 'identity',
      },
      body,
      signal,
    });
    // Whoever reads the body hears of it; while nobody does, a cut connection is no end of the server.
    answer.body.on('error', () => undefined);
    if (answer.statusCode < 300 || answer.statusCode >= 400) return answer;
    answer.body.destroy();
    throw new Error('the model’s API redirects: set ANTHROPIC_BASE_URL to where it is');
  }

  /** A text of the model's API without the credential, should it quote it. */
  withoutSecret(text: string): string {
    const secret = this.config.credential?.secret;
    return secret ? text.replaceAll(secret, '[redacted]') : text;
  }

  private urlOf(path: string): string {
    return this.config.modelBaseUrl.replace(/\/+$/, '') + path;
  }
}

function forwardedHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && FORWARDED.test(name)) forwarded[name] = String(value);
  }
  return forwarded;
}

function credentialHeader({ kind, secret }: ModelCredential): Record<string, string> {
  return kind === 'api_key' ? { 'x-api-key': secret } : { authorization: `Bearer ${secret}` };
}
