import { Injectable } from '@nestjs/common';
import { AppConfig, type ModelCredential } from '@app/config';

/** Headers of the CLI that the model's API needs; everything else (above all credentials) stays here. */
const FORWARDED =
  /^(anthropic-(?!dangerous)|x-stainless-|x-claude-code-|x-app$|user-agent$|accept$|content-type$)/;

/** Nothing was sent. */
export class MissingCredential extends Error {}

/**
 * Talks to the model's API with the real credential. The only place that holds it; a run's own token and any
 * credential that a sandbox may have put into its request never leave the machine.
 */
@Injectable()
export class Upstream {
  constructor(private readonly config: AppConfig) {}

  /** Rejects when there is no connection; every HTTP answer, errors too, resolves. */
  async send(
    path: string,
    headers: NodeJS.Dict<string | string[]>,
    body: string,
    signal: AbortSignal,
  ): Promise<Response> {
    if (!this.config.credential) throw new MissingCredential('no credential for the model’s API');
    return fetch(this.urlOf(path), {
      method: 'POST',
      headers: {
        ...forwardedHeaders(headers),
        ...credentialHeader(this.config.credential),
        // Metering reads the answer as it passes; unpacking it first would only cost time.
        'accept-encoding': 'identity',
      },
      body,
      signal,
      redirect: 'error',
    });
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
