import type { AppConfig } from '@app/config';

/** Headers that carry secrets, wherever in a line an object of headers was logged. */
const SECRET_FIELDS =
  /"((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)":(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])/gi;
/** Our keys keep their public part, so that a line can still be traced to a key. */
const OUR_KEYS = /\b(cc_[sa]k_[0-9A-Za-z]{12})_[0-9A-Za-z]+/g;
const MALFORMED_KEYS = /\b(cc_[sa]k_)(?![0-9A-Za-z]{12}_(?:…|\[redacted\]))[0-9A-Za-z_]{13,}/g;
const MODEL_KEYS = /\bsk-ant-[\w-]+/g;

/**
 * Makes a function that removes secrets from a finished log line: the values of secret headers, everything
 * that looks like a key of ours or of Anthropic's, and the secrets of this very configuration.
 */
export function redactor(config: AppConfig): (line: string) => string {
  const secrets = configuredSecrets(config);
  return (line) =>
    secrets
      .reduce((text, secret) => text.replaceAll(secret, '[redacted]'), line)
      .replace(SECRET_FIELDS, '"$1":"[redacted]"')
      .replace(OUR_KEYS, '$1_[redacted]')
      .replace(MALFORMED_KEYS, '$1[redacted]')
      .replace(MODEL_KEYS, 'sk-ant-[redacted]');
}

function configuredSecrets(config: AppConfig): string[] {
  const password = config.databaseUrl ? new URL(config.databaseUrl).password : '';
  return [
    config.credential?.secret,
    config.keyPepper,
    config.auditKey,
    password,
    decodeURIComponent(password),
  ]
    .filter((secret) => secret !== undefined && secret.length >= 8)
    .map((secret) => JSON.stringify(secret).slice(1, -1));
}
