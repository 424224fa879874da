import { AppError, newId } from '@app/common';
import { jsonObject } from '../http/json-object.js';

/** The frames that a client may send, and the handler of each. */
const HANDLER_OF: Record<string, string> = {
  auth: 'auth',
  completion: 'completion',
  chat: 'completion',
  task: 'task',
  agentic_task: 'task',
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  cancel: 'cancel',
  ping: 'ping',
};
const FRAME_TYPES = Object.keys(HANDLER_OF);
const ID = /^[\x21-\x7e]{1,128}$/;

/** What a client sent. `body`: its fields but those of the wire, as the REST route of its kind takes them. */
export interface Frame {
  /** The name of its handler. */
  event: string;
  /** The client's own; comes back in all that belongs to it. */
  id?: string;
  idempotencyKey?: string;
  requestId: string;
  body: Record<string, unknown>;
}

/** Throws what is wrong with a frame that no handler could make sense of. */
export function frameOf(text: string): Frame {
  const { type, id, idempotency_key: idempotencyKey, ...body } = jsonObject('the frame', text);
  const handler = typeof type === 'string' && Object.hasOwn(HANDLER_OF, type) ? HANDLER_OF[type] : undefined;
  if (!handler) {
    throw new AppError('invalid_request', `type must be one of ${FRAME_TYPES.join(', ')}`, { param: 'type' });
  }
  if (id !== undefined && !(typeof id === 'string' && ID.test(id))) {
    throw new AppError('invalid_request', 'id must be 1 to 128 printable ASCII characters without spaces', {
      param: 'id',
    });
  }
  if (idempotencyKey !== undefined && typeof idempotencyKey !== 'string') {
    throw new AppError('invalid_request', 'idempotency_key must be text', { param: 'idempotency_key' });
  }
  return { event: eventOf(handler, body), id, idempotencyKey, requestId: newId('req'), body };
}

/** A completion is asked for by a prompt or by a conversation. */
const eventOf = (handler: string, body: object) =>
  handler === 'completion' && 'messages' in body ? 'chat' : handler;

export function binaryFrame(): never {
  throw new AppError('invalid_request', 'frames are JSON text, not binary');
}
