/**
 * What a close code means, and whether it helps to connect again by itself.
 * @typedef {{ means: string, again: boolean }} Closing
 */

/** @type {Record<number, Closing>} */
const CLOSINGS = {
  1000: { means: 'closed', again: false },
  1001: { means: 'the service is shutting down', again: true },
  1006: { means: 'the connection was lost', again: true },
  1008: { means: 'too many frames in too short a time', again: false },
  1009: { means: 'a frame was longer than 1 MiB', again: false },
  4400: { means: 'too many malformed frames', again: false },
  4401: { means: 'the key was not accepted', again: false },
  4403: { means: 'the key was revoked or has expired', again: false },
  4408: { means: 'no sign of life in time', again: true },
  4429: { means: 'this key has as many sockets open as it may', again: false },
  4430: { means: 'this page read too slowly', again: true },
};

/**
 * @param {number} code
 * @returns {Closing}
 */
export const closingOf = (code) => CLOSINGS[code] ?? { means: 'closed by something between', again: true };
