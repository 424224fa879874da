import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  status: number;
  head: string;
  body: any;
  closed: boolean;
  ms: number;
}

interface RawOptions {
  /** Pause before each further piece. */
  pauseMs?: number;
  /** Give up waiting for the close. */
  patienceMs?: number;
}

/**
 * Writes these very bytes to the server and reads what comes back until it closes. A peer of the kind that
 * no HTTP library can play.
 */
export async function sendRaw(
  port: number,
  pieces: string | (string | Buffer)[],
  { pauseMs = 0, patienceMs = 5_000 }: RawOptions = {},
): Promise<RawAnswer> {
  const startedAt = performance.now();
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<boolean>((resolve) => socket.on('close', () => resolve(true)));
  for (const [index, piece] of (typeof pieces === 'string' ? [pieces] : pieces).entries()) {
    if (index > 0) await sleep(pauseMs);
    if (socket.destroyed) break;
    socket.write(piece);
  }
  const gaveUp = new AbortController();
  const didClose = await Promise.race([
    closed,
    sleep(patienceMs, false, { signal: gaveUp.signal }).catch(() => false),
  ]);
  gaveUp.abort();
  socket.destroy();
  const [head = '', text = ''] = received.split(/\r\n\r\n([\s\S]*)/);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body: text.startsWith('{') ? JSON.parse(text) : text,
    closed: didClose,
    ms: performance.now() - startedAt,
  };
}

/** What every refusal looks like, whoever in the server gave it. */
export const envelope = (code: string) => ({
  type: 'error',
  error: expect.objectContaining({ code, message: expect.any(String), details: expect.any(Object) }),
  request_id: expect.stringMatching(/^req_[0-9a-f]{32}$/),
});
