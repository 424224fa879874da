/** What one socket may do. Times in milliseconds. */
export const STREAM_LIMITS = {
  frameBytes: 1024 * 1024,
  framesPerSecond: 20,
  /** Frames that are no frames, and frames over the rate, that a minute forgives. */
  faultsPerMinute: 9,
  requests: 100,
  socketsPerKey: 10,
  /** Sockets of one address that have not shown a key. */
  strangersPerAddress: 50,
  authWithinMs: 5_000,
  pingEveryMs: 30_000,
  pongWithinMs: 60_000,
  /** From the first byte of a frame to its last. */
  frameWithinMs: 30_000,
  /** What a reader may leave unread: bytes, and how long. */
  unreadBytes: 1024 * 1024,
  unreadForMs: 30_000,
  /** A replay waits for its reader from here on. */
  pacedFromBytes: 256 * 1024,
  lookEveryMs: 1_000,
};
