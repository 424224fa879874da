/** Why the service closes a socket (docs/api-reference/websocket.md). */
export const CLOSE = {
  shuttingDown: 1001,
  /** More frames or pings than the limit, again and again. */
  flood: 1008,
  malformed: 4400,
  notAuthenticated: 4401,
  keyRevoked: 4403,
  idle: 4408,
  tooManySockets: 4429,
  tooSlow: 4430,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];
