/** A started process of the CLI that has not been told whom it will serve, or has forgotten whom it served. */
export interface PooledProcess {
  /** Settles when it has ended, by whomever. */
  readonly gone: Promise<void>;
  /** 0 = it cannot be seen from outside. */
  memoryBytes(): number;
  /** Forgets the run that it served. Rejects when that is not proven: then the process is good for nothing. */
  reset(): Promise<void>;
  /** Afterwards nothing of it is left. */
  end(): Promise<void>;
}

/** Processes that are the same in everything that is fixed when they start. */
export interface ProcessKind<P extends PooledProcess = PooledProcess> {
  /** Equal for two processes that can stand for each other, and for no others. */
  fingerprint: string;
  /** What the operator reads; nothing of a tenant. */
  label: string;
  start(): Promise<P>;
}

/** A process in the hands of one run. Ends with exactly one of `giveBack` and `discard`. */
export interface Claim<P extends PooledProcess = PooledProcess> {
  process: P;
  /** It was there already. */
  warm: boolean;
  /** The run ended well: the process may serve the same owner again, once it is reset. */
  giveBack(): void;
  discard(): Promise<void>;
}
