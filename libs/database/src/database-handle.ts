/** The database of this process: where it is, and what must be done for it while the process lives. */
export interface DatabaseHandle {
  url: string;
  mode: 'external' | 'embedded';
  /** This process started the server (always false for an external one). */
  startedHere: boolean;
  /** Restarts the embedded server when it dies, and makes this process responsible for stopping it. */
  supervise(): void;
  /** Stops the embedded server if this process started or supervises it and no other client is connected. */
  release(): Promise<void>;
}
