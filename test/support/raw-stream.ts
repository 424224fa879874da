import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { until } from './task-api.js';

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

interface FrameOptions {
  fin?: boolean;
  /** The three reserved bits. */
  rsv?: number;
  masked?: boolean;
  /** The length that is announced, where it is not that of the payload. */
  announced?: bigint;
}

/** One frame as a client writes it, or as none should. */
export function frame(
  opcode: number,
  payload: string | Buffer = '',
  { fin = true, rsv = 0, masked = true, announced }: FrameOptions = {},
): Buffer {
  const data = Buffer.from(payload);
  const [short, extended] = lengthOf(announced ?? BigInt(data.length));
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | short]);
  if (!masked) return Buffer.concat([head, extended, data]);
  const mask = randomBytes(4);
  const body = data.map((byte, index) => byte ^ mask[index % 4]!);
  return Buffer.concat([head, extended, mask, body]);
}

/** As the head of a frame has it: seven bits, and the bytes behind them. */
function lengthOf(length: bigint): [short: number, extended: Buffer] {
  if (length < 126n) return [Number(length), Buffer.alloc(0)];
  const extended = Buffer.alloc(length < 65_536n ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(Number(length));
  else extended.writeBigUInt64BE(length);
  return [extended.length === 2 ? 126 : 127, extended];
}

export const pingFrame = (bytes = 0) => frame(OPCODE.ping, Buffer.alloc(bytes));
export const textFrame = (value: unknown) =>
  frame(OPCODE.text, typeof value === 'string' ? value : JSON.stringify(value));

/** The request that opens a socket. `headers`: whole lines. */
export const handshake = (headers: string[] = [], target = '/v1/stream') =>
  [
    `GET ${target} HTTP/1.1`,
    ...['host: 127.0.0.1', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'],
    `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    ...headers,
    '\r\n',
  ].join('\r\n');

/** A peer on `/v1/stream` that no WebSocket library can play: it writes these very bytes. */
export class RawStream {
  private received = Buffer.alloc(0);
  /** What the server said, control frames too. */
  readonly frames: { opcode: number; payload: Buffer }[] = [];
  /** The status line and headers of the answer to the handshake. */
  head = '';
  status?: number;
  isClosed = false;

  private constructor(readonly wire: Socket) {
    wire.on('data', (piece: Buffer) => this.take(piece));
    wire.on('error', () => undefined);
    wire.on('close', () => (this.isClosed = true));
  }

  /** Writes the handshake and, in the same packet, what is to come right behind it. */
  static async open(port: number, key?: string, { headers = [] as string[], behind = [] as Buffer[] } = {}) {
    const wire = connect(port, '127.0.0.1');
    const stream = new RawStream(wire);
    const lines = key ? [`authorization: Bearer ${key}`, ...headers] : headers;
    wire.write(Buffer.concat([Buffer.from(handshake(lines)), ...behind]));
    await until('the handshake is answered', () => stream.status !== undefined || stream.isClosed);
    return stream;
  }

  write(...frames: Buffer[]): void {
    this.wire.write(Buffer.concat(frames));
  }

  get told(): any[] {
    return this.frames
      .filter(({ opcode }) => opcode === OPCODE.text)
      .map(({ payload }) => JSON.parse(String(payload)));
  }

  /** The code that the server closed with, once it has. */
  async closeCode(withinMs?: number): Promise<number | undefined> {
    const close = () => this.frames.find(({ opcode }) => opcode === OPCODE.close);
    await until('the close', () => close() !== undefined || this.isClosed, Boolean, withinMs);
    return close()?.payload.readUInt16BE();
  }

  private take(piece: Buffer): void {
    this.received = Buffer.concat([this.received, piece]);
    if (this.status === undefined && !this.takeHead()) return;
    while (this.takeFrame());
  }

  private takeHead(): boolean {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return false;
    this.head = this.received.toString('latin1', 0, end);
    this.status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1]);
    this.received = this.received.subarray(end + 4);
    return this.status === 101;
  }

  private takeFrame(): boolean {
    if (this.status !== 101 || this.received.length < 2) return false;
    const short = this.received[1]! & 0x7f;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (this.received.length < start) return false;
    const length =
      short === 127
        ? Number(this.received.readBigUInt64BE(2))
        : short === 126
          ? this.received.readUInt16BE(2)
          : short;
    if (this.received.length < start + length) return false;
    this.frames.push({
      opcode: this.received[0]! & 0x0f,
      payload: this.received.subarray(start, start + length),
    });
    this.received = this.received.subarray(start + length);
    return true;
  }
}
