/** Which events; what is left out does not matter. `from` is included, `to` is not. */
export interface AuditQuestion {
  project?: string;
  type?: string;
  actor?: string;
  target?: string;
  outcome?: string;
  from?: Date;
  to?: Date;
  limit?: number;
  cursor?: string;
}
