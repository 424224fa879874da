import type { AddressInfo } from 'node:net';
import { startTestService, type TestService } from '../support/test-service.js';
import { envelope, type RawAnswer, sendRaw } from '../support/raw-http.js';

/** sandbox-security.md section 6, "HTTP framing": raw bytes against the real server. */
describe('HTTP framing', () => {
  let service: TestService;
  let port: number;
  let key: string;

  beforeAll(async () => {
    service = await startTestService();
    ({ port } = service.app.getHttpServer().address() as AddressInfo);
    ({ key } = await service.key());
  });
  afterAll(() => service.stop());

  const post = (headers: string, body = '') =>
    `POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\n${headers}\r\n${body}`;
  const get = (headers: string) => `GET /health HTTP/1.1\r\n${headers}\r\n`;

  function expectRefusal(answer: RawAnswer, status: number, code: string) {
    expect(answer).toMatchObject({ status, closed: true, body: envelope(code) });
    expect(answer.head.toLowerCase()).toContain(`x-request-id: ${answer.body.request_id}`);
  }

  it.each([
    ['row 1: two different Content-Length', () => post('content-length: 2\r\ncontent-length: 3\r\n', '{}')],
    [
      'row 2: Content-Length and Transfer-Encoding',
      () => post('content-length: 2\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
    ],
    [
      'row 3: a chunk size that is no number',
      () => post('transfer-encoding: chunked\r\n', 'ZZ\r\n{}\r\n0\r\n\r\n'),
    ],
    ['row 3: a negative chunk size', () => post('transfer-encoding: chunked\r\n', '-2\r\n{}\r\n0\r\n\r\n')],
    ['row 3: a chunk size of 2^64', () => post('transfer-encoding: chunked\r\n', '10000000000000000\r\n{}')],
    ['row 4: a bare LF', () => 'GET /health HTTP/1.1\nhost: x\n\n'],
    ['row 4: a NUL in a header', () => get('host: x\r\nx-a: a\0b\r\n')],
    ['row 4: a folded header', () => get('host: x\r\nx-a: a\r\n b\r\n')],
    ['row 9: an unknown method', () => 'FOO /health HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['row 16: the HTTP/2 preface', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s: 400 and closed', async (_, request) => {
    expectRefusal(await sendRaw(port, request()), 400, 'invalid_request');
  });

  it('row 5: no Host: 400', async () => {
    expectRefusal(await sendRaw(port, get('connection: close\r\n')), 400, 'invalid_request');
  });

  it('row 6: a header of 20 KB: 431', async () => {
    const answer = await sendRaw(port, get(`host: x\r\nx-a: ${'a'.repeat(20_000)}\r\n`));
    expectRefusal(answer, 431, 'headers_too_large');
  });

  it('row 7: 2,000 headers: 431', async () => {
    const headers = Array.from({ length: 2_000 }, () => 'a:\r\n').join('');
    const answer = await sendRaw(port, get(`host: x\r\nconnection: close\r\n${headers}`));
    expectRefusal(answer, 431, 'headers_too_large');
  });

  it('row 8: an address of 20 KB: 431', async () => {
    const answer = await sendRaw(port, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expectRefusal(answer, 431, 'headers_too_large');
  });

  it('row 9: TRACE: 405 with the methods that there are', async () => {
    const answer = await sendRaw(port, 'TRACE /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expectRefusal(answer, 405, 'method_not_allowed');
    expect(answer.head).toMatch(/^allow: GET, HEAD, OPTIONS$/im);
  });

  describe('slow senders', () => {
    let limits: number[];

    beforeAll(() => {
      const server = service.app.getHttpServer();
      limits = [server.headersTimeout, server.requestTimeout];
      Object.assign(server, { headersTimeout: 400, requestTimeout: 800 }); // the same clockwork, sooner
    });
    afterAll(() => {
      const [headersTimeout, requestTimeout] = limits;
      Object.assign(service.app.getHttpServer(), { headersTimeout, requestTimeout });
    });

    it('rows 10, 11: have 10 s for the headers and 30 s for the whole request', () => {
      expect(limits).toEqual([10_000, 30_000]);
    });

    it('row 10: a body shorter than announced, then silence: 408', async () => {
      expectRefusal(await sendRaw(port, post('content-length: 100\r\n', '{"a":')), 408, 'request_timeout');
    });

    it('row 11: headers one byte at a time: closed', async () => {
      const answer = await sendRaw(port, [...get(`host: ${'x'.repeat(200)}\r\n`)], { pauseMs: 30 });
      expectRefusal(answer, 408, 'request_timeout');
      expect(answer.ms).toBeLessThan(4_000);
    });

    it('a refusal whose body never comes is not followed by a second answer', async () => {
      const request = post('content-length: 100000000\r\n');
      const { status, body, closed } = await sendRaw(port, request);
      expect({ status, body, closed }).toEqual({
        status: 413,
        closed: true,
        body: envelope('request_too_large'),
      });
    });
  });

  it('row 12: an absolute address with a foreign host is not used for links', async () => {
    const answer = await sendRaw(
      port,
      'GET http://evil.example/openapi.json HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
    );
    expect(answer.status).toBe(200);
    expect(answer.head + JSON.stringify(answer.body)).not.toContain('evil');
  });

  it('row 14: X-HTTP-Method-Override is ignored', async () => {
    const headers = { 'x-http-method-override': 'DELETE' };
    expect((await fetch(`${service.url}/health`, { headers })).status).toBe(200);
  });

  it('row 15: Expect: 100-continue with 10 GB: 413, and no byte of it is asked for', async () => {
    const answer = await sendRaw(port, post('content-length: 10000000000\r\nexpect: 100-continue\r\n'));
    expectRefusal(answer, 413, 'request_too_large');
    expect(answer.head).not.toContain('100 Continue');
  });

  it('Expect: 100-continue from a stranger: 401 before the body', async () => {
    const answer = await sendRaw(
      port,
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n',
    );
    expectRefusal(answer, 401, 'invalid_api_key');
  });

  it('Expect: 100-continue is answered when the body is wanted', async () => {
    const head = post('content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n');
    const { head: interim, body } = await sendRaw(port, [head, '{}'], { pauseMs: 100 });
    expect(interim).toBe('HTTP/1.1 100 Continue');
    expect(body).toMatch(/^HTTP\/1\.1 400 [\s\S]*"param":"prompt"/);
  });

  it('still serves after all of that', async () => {
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
  });
});
