/** The state of one part. `detail` is shown to anybody: no path, address or secret. */
export interface PartState {
  ok: boolean;
  detail?: string;
}

/** A part that the service cannot do its work without. */
export interface ReadinessCheck {
  name: string;
  check(): PartState | Promise<PartState>;
}

/** Injection token of the list of checks. */
export const READINESS_CHECKS = Symbol('READINESS_CHECKS');
