/** A process that waits for one task in an empty folder of its own. */
export interface TaskReservation {
  /** Makes the folder the one of this path, where there must be none. False = there is none to be had. */
  moveTo(dir: string): Promise<boolean>;
  /** Nothing of it is needed any more. Harmless when the run has taken it. */
  end(): Promise<void>;
}
