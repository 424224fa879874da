/** Everything that is ever written to the audit. A new kind of event is a new line here. */
type AuditEventType =
  | 'key.created'
  | 'key.updated'
  | 'key.rotated'
  | 'key.revoked'
  | 'admin.bootstrapped'
  | 'project.created'
  | 'project.disabled'
  | 'project.enabled'
  | 'tier.created'
  | 'tier.updated'
  | 'tier.removed'
  | 'tier.reset'
  | 'run.started'
  | 'run.ended'
  | 'run.refused'
  | 'task.created'
  | 'task.cancel_requested'
  | 'task.ended'
  | 'tool.called'
  | 'tool.denied';

/** What happened: who did it, to what, and how it went. `diff` is small JSON: what changed, never content. */
export interface AuditEvent {
  type: AuditEventType;
  project: string;
  actor: { kind: 'key' | 'operator' | 'system'; id: string };
  target: { kind: string; id: string };
  outcome: 'ok' | 'denied' | 'failed';
  diff?: Record<string, unknown>;
  requestId?: string;
}
