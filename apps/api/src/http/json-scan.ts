import { AppError } from '@app/common';

export const JSON_LIMITS = { levels: 32, keys: 1_000, 'array items': 10_000 } as const;

interface Container {
  /** The keys seen so far; null for an array. */
  keys: Set<string> | null;
  /** The key or index whose value is being read. */
  member: string | number;
  readingKey: boolean;
}

const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const ESCAPED_UNIT = /\\u([0-9a-fA-F]{4})/y;

/**
 * Looks over JSON text before `JSON.parse` builds anything from it, and refuses what that would let through:
 * too deep or too many, a key given twice, text that Postgres or UTF-8 cannot hold, numbers that would come
 * out as other numbers. Throws `AppError` naming the place. One pass; malformed text is left to `JSON.parse`.
 */
export class JsonScan {
  private at = 0;
  private keyCount = 0;
  private itemCount = 0;
  private readonly open: Container[] = [];

  constructor(
    private readonly what: string,
    private readonly text: string,
  ) {}

  check(): void {
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at);
      if (char === '"') this.string();
      else if (char === '-' || (char >= '0' && char <= '9')) this.number();
      else {
        if (char === '{' || char === '[') this.enter(char === '{');
        else if (char === '}' || char === ']') this.open.pop();
        else if (char === ',') this.nextMember();
        this.at += 1;
      }
    }
  }

  private enter(isObject: boolean): void {
    if (this.open.length === JSON_LIMITS.levels) throw this.tooMany('levels');
    this.open.push({ keys: isObject ? new Set() : null, member: 0, readingKey: isObject });
  }

  private nextMember(): void {
    const container = this.open.at(-1);
    if (!container) return;
    container.readingKey = container.keys !== null;
    if (container.readingKey) return;
    container.member = Number(container.member) + 1;
    this.itemCount += 1;
    if (this.itemCount >= JSON_LIMITS['array items']) throw this.tooMany('array items');
  }

  private string(): void {
    const start = this.at;
    const object = this.open.at(-1);
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const code = this.text.charCodeAt(this.at);
      if (code === 0x22 /* " */) break;
      if (code === 0x5c /* \ */) this.escape();
    }
    this.at += 1;
    if (object?.keys && object.readingKey)
      this.nameMember(object, object.keys, this.text.slice(start, this.at));
  }

  /** Stops at the last character of the escape. Raw halves of a pair cannot occur: the body is strict UTF-8. */
  private escape(): void {
    const unit = this.unitAt(this.at);
    this.at += 1;
    if (unit === undefined) return;
    this.at += 4;
    if (unit === 0) throw this.refusal('a NUL character (\\u0000) cannot be stored');
    if (unit < 0xd800 || unit > 0xdfff) return;
    const low = this.unitAt(this.at + 1) ?? 0;
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) {
      throw this.refusal('half of a surrogate pair is not a character');
    }
    this.at += 6;
  }

  private unitAt(at: number): number | undefined {
    ESCAPED_UNIT.lastIndex = at;
    const digits = ESCAPED_UNIT.exec(this.text)?.[1];
    return digits === undefined ? undefined : Number.parseInt(digits, 16);
  }

  private nameMember(object: Container, keys: Set<string>, raw: string): void {
    const key = decoded(raw);
    object.member = key;
    object.readingKey = false;
    this.keyCount += 1;
    if (this.keyCount > JSON_LIMITS.keys) throw this.tooMany('keys');
    if (keys.has(key)) throw this.refusal(`the key ${shortened(key)} is given twice`);
    // What every object has already: code that looks it up must not find the caller's.
    if (key in Object.prototype) throw this.refusal(`unknown field ${shortened(key)}`);
    keys.add(key);
  }

  private number(): void {
    NUMBER.lastIndex = this.at;
    const [literal = '-', fraction, exponent] = NUMBER.exec(this.text) ?? [];
    this.at += literal.length;
    if (literal === '-') return;
    const value = Number(literal);
    const isWhole = fraction === undefined && exponent === undefined;
    const vanished = value === 0 && /[1-9]/.test(literal.split(/e/i, 1)[0]!);
    const survives = isWhole ? Number.isSafeInteger(value) : Number.isFinite(value) && !vanished;
    if (!survives || Object.is(value, -0)) throw this.refusal('this number would come out as another one');
  }

  private tooMany(limit: keyof typeof JSON_LIMITS): AppError {
    return new AppError('invalid_request', `${this.what} has more than ${JSON_LIMITS[limit]} ${limit}`);
  }

  private refusal(message: string): AppError {
    const path = this.open.filter((container) => !container.readingKey).map((container) => container.member);
    return new AppError('invalid_request', message, { param: path.join('.').slice(0, 256) || undefined });
  }
}

function decoded(raw: string): string {
  if (!raw.includes('\\')) return raw.slice(1, -1);
  try {
    return JSON.parse(raw) as string;
  } catch {
    return raw;
  }
}

const shortened = (key: string) => JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);
