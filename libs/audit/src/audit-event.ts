/** Everything that is ever written to the audit. A new kind of event is a new line here. */
export const AUDIT_EVENT_TYPES = [
  'key.created',
  'key.updated',
  'key.rotated',
  'key.revoked',
  'admin.bootstrapped',
  'auth.failed',
  'project.created',
  'project.disabled',
  'project.enabled',
  'tier.created',
  'tier.updated',
  'tier.removed',
  'tier.reset',
  'run.started',
  'run.ended',
  'run.refused',
  'budget.created',
  'budget.updated',
  'budget.granted',
  'budget.removed',
  'budget.threshold',
  'budget.overrun',
  'task.created',
  'task.cancel_requested',
  'task.ended',
  'tool.called',
  'tool.denied',
  'audit.exported',
] as const;
export const AUDIT_OUTCOMES = ['ok', 'denied', 'failed'] as const;

/** What happened: who did it, to what, and how it went. `diff` is small JSON: what changed, never content. */
export interface AuditEvent {
  type: (typeof AUDIT_EVENT_TYPES)[number];
  project: string;
  actor: { kind: 'key' | 'operator' | 'system'; id: string };
  target: { kind: string; id: string };
  outcome: (typeof AUDIT_OUTCOMES)[number];
  diff?: Record<string, unknown>;
  requestId?: string;
}
