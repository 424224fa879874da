import { closingOf } from './closings.js';

const LONGEST_WAIT_MS = 15_000;
/** Longer frames are refused by the service, and cost the connection. */
const LONGEST_FRAME = 1024 * 1024;

/**
 * @typedef {{ type: string, id?: string, seq?: number, [field: string]: any }} Frame
 * @typedef {'offline' | 'connecting' | 'ready' | 'waiting' | 'refused'} State
 * @typedef {object} Listeners
 * @property {(state: State, text: string) => void} state
 * @property {(frame: Frame) => void} frame
 * @property {(direction: 'in' | 'out' | 'note', text: string) => void} wire what went over the wire, without the key
 */

/**
 * One connection to the service that lasts: authenticated by its first frame, and made again when it is lost.
 * The key is kept in this object alone, from `connect` until `disconnect` or a refusal.
 */
export class Connection {
  #key = '';
  /** @type {WebSocket | undefined} */
  #socket;
  #wasReady = false;
  #losses = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What the service said before it closed. */
  #lastError = '';

  /**
   * @param {URL} url
   * @param {Listeners} on
   */
  constructor(url, on) {
    this.url = url;
    this.on = on;
  }

  /** @param {string} key */
  connect(key) {
    this.#key = key;
    this.#wasReady = false;
    this.#losses = 0;
    this.#open();
  }

  disconnect() {
    clearTimeout(this.#timer);
    this.#key = '';
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
    if (socket) this.on.wire('note', 'closed by this page');
    this.on.state('offline', 'Not connected');
  }

  /**
   * @param {Frame} frame
   * @throws when it cannot be sent
   */
  send(frame) {
    const text = JSON.stringify(frame);
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error('There is no connection.');
    if (new TextEncoder().encode(text).length > LONGEST_FRAME) throw new Error('This is longer than 1 MiB.');
    this.#socket.send(text);
    this.on.wire('out', this.#masked(text));
  }

  #open() {
    this.#lastError = '';
    this.on.state('connecting', 'Connecting…');
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    const isCurrent = () => this.#socket === socket;
    socket.addEventListener('open', () => {
      if (!isCurrent()) return;
      socket.send(JSON.stringify({ type: 'auth', api_key: this.#key }));
      this.on.wire('out', JSON.stringify({ type: 'auth', api_key: MASK }));
    });
    socket.addEventListener('message', ({ data }) => {
      if (isCurrent()) this.#take(String(data));
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (isCurrent()) this.#closed(code, reason);
    });
  }

  /** @param {string} text */
  #take(text) {
    this.on.wire('in', this.#masked(text));
    /** @type {Frame} */
    const frame = JSON.parse(text);
    if (frame.type === 'error' && frame.id === undefined) this.#lastError = frame.error.message;
    if (frame.type === 'ready') {
      this.#wasReady = true;
      this.#losses = 0;
      this.on.state('ready', `Connected · project ${frame.project} · tier ${frame.tier}`);
    }
    this.on.frame(frame);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    this.#socket = undefined;
    this.on.wire('note', `closed with ${code}${reason && `: ${reason}`}`);
    const { means, again } = closingOf(code);
    const why = `${means} (${code})`;
    if (again && this.#wasReady) return this.#waitAndOpen(why);
    this.#key = '';
    if (code === 1006 && !this.#wasReady) return this.on.state('refused', UNREACHABLE);
    // What it says of a wrong key is for those who send headers.
    const told = this.#lastError && code !== 4401 ? `: ${this.#lastError}` : '';
    this.on.state('refused', `Closed: ${why}${told}`);
  }

  /** @param {string} why */
  #waitAndOpen(why) {
    const wait = Math.min(1000 * 2 ** this.#losses, LONGEST_WAIT_MS);
    this.#losses += 1;
    this.on.state('waiting', `Interrupted: ${why}. Trying again in ${wait / 1000} s…`);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** @param {string} text */
  #masked(text) {
    return this.#key ? text.replaceAll(this.#key, MASK) : text;
  }
}

const MASK = '•••';
const UNREACHABLE =
  'No connection: the service does not answer, or does not let pages of this origin in (ALLOWED_ORIGINS)';
