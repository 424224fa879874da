import type { AppConfig } from '@app/config';
import { AppError } from '@app/common';
import { redactor } from './redaction.js';
import { requestScope, StructuredLog } from './structured-log.js';

const config = {
  logLevel: 'info',
  keyPepper: 'pepper-pepper-pepper',
  auditKey: 'audit"key\\with-quotes',
  databaseUrl: 'postgres://user:pass%20word1@host/db',
  credential: { kind: 'auth_token', secret: 'a-token-of-no-known-shape' },
} as AppConfig;

describe('redaction', () => {
  const redact = redactor(config);

  it.each([
    [
      'our keys',
      'x cc_sk_7Kd02mXq9LpR_0123456789012345678901234567890123456789012crc123 y',
      'x cc_sk_7Kd02mXq9LpR_[redacted] y',
    ],
    ['keys that are not quite ours', 'cc_ak_0123456789012345678901234', 'cc_ak_[redacted]'],
    ['keys of Anthropic', 'sk-ant-api03-AbC_d-9', 'sk-ant-[redacted]'],
    [
      'headers, at any depth',
      '{"a":{"Authorization":"Bearer \\"x\\" y","cookie":["a","b"],"b":1}}',
      '{"a":{"Authorization":"[redacted]","cookie":"[redacted]","b":1}}',
    ],
    ['the credential', 'sent a-token-of-no-known-shape', 'sent [redacted]'],
    ['the password of the database, encoded or not', 'pass%20word1 pass word1', '[redacted] [redacted]'],
  ])('removes %s', (_, line, expected) => expect(redact(line)).toBe(expected));

  it('leaves a key’s shown form and everything else alone', () => {
    const line = '{"display":"cc_sk_7Kd02mXq9LpR_…Vxip","route":"/v1/x","authorized":"yes"}';
    expect(redact(line)).toBe(line);
  });

  it('works on the finished line: objects, errors, their causes, and what JSON escapes', () => {
    const lines: string[] = [];
    const log = new StructuredLog(config, { write: (line) => void lines.push(line) });
    log.error(new Error('outer', { cause: new Error(`failed for ${config.auditKey}`) }));
    log.log({ msg: 'deep', request: { headers: { 'x-api-key': 'short' } } }, 'Context');
    log.log('plain pepper-pepper-pepper', 'Context');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 50, err: { message: 'outer', cause: { message: 'failed for [redacted]' } } },
      { context: 'Context', msg: 'deep', request: { headers: { 'x-api-key': '[redacted]' } } },
      { msg: 'plain [redacted]' },
    ]);
  });

  it('does not log what a database error carries of the query', () => {
    const lines: string[] = [];
    const log = new StructuredLog(config, { write: (line) => void lines.push(line) });
    log.error(
      Object.assign(new Error('query failed'), { code: '23505', parameters: ['a prompt'], query: 'INSERT' }),
    );
    expect(lines.join('')).toContain('23505');
    expect(lines.join('')).not.toContain('a prompt');
  });

  it('does not log what a caller is told of their own request, but its code and cause', () => {
    const lines: string[] = [];
    const log = new StructuredLog(config, { write: (line) => void lines.push(line) });
    const cause = new Error('answered 400');
    log.warn({ msg: 'failed', err: new AppError('invalid_request', 'refused: a prompt', { cause }) });
    log.warn({ msg: 'failed', err: new AppError('cli_crashed', 'ended without an answer', { cause }) });
    expect(lines.map((line) => JSON.parse(line).err)).toMatchObject([
      { code: 'invalid_request', cause: { message: 'answered 400' } },
      { code: 'cli_crashed', message: 'ended without an answer' },
    ]);
    expect(lines.join('')).not.toContain('a prompt');
  });

  it('has on each line of a request its id, and nothing of the line before', () => {
    const lines: string[] = [];
    const log = new StructuredLog(config, { write: (line) => void lines.push(line) });
    requestScope.run({ request_id: 'req_1' }, () => {
      log.log({ msg: 'first', run: 'run_1' });
      log.log({ msg: 'second' });
    });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ run: 'run_1' }, { request_id: 'req_1' }]);
    expect(lines[1]).not.toContain('run_1');
  });
});
