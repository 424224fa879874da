/** @import { Frame } from './connection.js' */

/**
 * @typedef {object} Request
 * @property {string} id
 * @property {'completion' | 'task'} kind
 * @property {Frame} frame as it was sent
 * @property {string} [taskId]
 * @property {number} seq the highest that was seen
 * @property {boolean} ended
 */

const LAST = new Set(['done', 'result', 'error']);

/** What was sent and how far each came: enough to go on after the connection was lost, without gap or repeat. */
export class Requests {
  /** @type {Map<string, Request>} */
  #all = new Map();

  /**
   * @param {'completion' | 'task'} kind
   * @param {object} fields
   * @returns {Request}
   */
  add(kind, fields) {
    const id = `${kind}-${this.#all.size + 1}`;
    // So that sending it twice, not knowing whether the first one arrived, costs once.
    const idempotency_key = crypto.getRandomValues(new Uint32Array(4)).join('-');
    /** @type {Request} */
    const request = { id, kind, frame: { type: kind, id, idempotency_key, ...fields }, seq: 0, ended: false };
    this.#all.set(id, request);
    return request;
  }

  /** @param {Request} request */
  forget({ id }) {
    this.#all.delete(id);
  }

  /**
   * Takes note of a frame. Undefined = it belongs to no request, or was seen before.
   * @param {Frame} frame
   * @returns {Request | undefined}
   */
  take(frame) {
    const request = frame.id === undefined ? undefined : this.#all.get(frame.id);
    if (!request || request.ended || frame.type === 'ack') return undefined;
    // Without a number it is about another frame under this id, not about the request.
    if (frame.seq === undefined && request.seq > 0) return undefined;
    // The refusal to go on with a task has a number of its own.
    if (frame.type !== 'error' && frame.seq !== undefined && frame.seq <= request.seq) return undefined;
    request.seq = Math.max(request.seq, frame.seq ?? 0);
    request.taskId ??= frame.task_id;
    request.ended = LAST.has(frame.type);
    return request;
  }

  /** Those that have not ended. */
  open() {
    return [...this.#all.values()].filter(({ ended }) => !ended);
  }

  /**
   * What continues a task on a new connection. A completion ended with the old one.
   * @param {Request} request
   * @returns {Frame | undefined}
   */
  static continuation({ kind, id, taskId, seq, frame }) {
    if (kind === 'completion') return undefined;
    return taskId === undefined ? frame : { type: 'subscribe', id, task_id: taskId, after: seq };
  }
}
