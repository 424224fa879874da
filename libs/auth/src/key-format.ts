import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `cc_sk_` keys run models; `cc_ak_` keys administrate and cannot run anything. */
export type KeyKind = 'inference' | 'admin';

const PREFIXES: Record<KeyKind, string> = { inference: 'cc_sk_', admin: 'cc_ak_' };
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const KID_START = 6;
const KID_LENGTH = 12;
const SECRET_LENGTH = 43;
const CRC_LENGTH = 6;
const CRC_START = KID_START + KID_LENGTH + 1 + SECRET_LENGTH;
const KEY_LENGTH = CRC_START + CRC_LENGTH;
const SHAPE = /^cc_[sa]k_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/;

export const KID_PATTERN = /^[0-9A-Za-z]{12}$/;

/** A new key: 256 random bits behind a public, loggable `kid`, closed by a checksum. */
export function mintKey(kind: KeyKind): { key: string; kid: string } {
  const kid = base62(randomNumber(16), KID_LENGTH);
  const body = `${PREFIXES[kind]}${kid}_${base62(randomNumber(32), SECRET_LENGTH)}`;
  return { key: body + checksum(body), kid };
}

/** The `kid` of a well-formed key; undefined for anything else, without a hash or a query. */
export function kidOf(presented: string): string | undefined {
  if (presented.length !== KEY_LENGTH || !SHAPE.test(presented)) return undefined;
  if (checksum(presented.slice(0, CRC_START)) !== presented.slice(CRC_START)) return undefined;
  return presented.slice(KID_START, KID_START + KID_LENGTH);
}

/** How a key is shown once its secret is gone. */
export function displayKey(kind: KeyKind, kid: string, last4: string): string {
  return `${PREFIXES[kind]}${kid}_…${last4}`;
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CRC_LENGTH);
}

function randomNumber(bytes: number): bigint {
  return BigInt(`0x${randomBytes(bytes).toString('hex')}`);
}

/** The lowest `length` digits, padded with zeros: 43 hold any 256 bits, 6 any 32 bits. */
function base62(value: bigint, length: number): string {
  let digits = '';
  for (let rest = value; digits.length < length; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits;
  return digits;
}
