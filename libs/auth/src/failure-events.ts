import type { AuditEvent } from '@app/audit';
import { OPERATOR_PROJECT } from '@app/common';
import type { KeyFault } from './auth.errors.js';

/** So many keys get an event of their own; those with the most failures. */
const MOST_OF_KEYS = 5;

/** Refusals of one reason, of one kid where there was a well-formed one. */
export interface Failures {
  fault: KeyFault;
  kid?: string;
  count: number;
  from: Date;
  to: Date;
}

export interface KeyOwner {
  kid: string;
  keyId: string;
  project: string;
}

/**
 * At most one event for each of a few keys, in the chains of their projects, and for each reason one that
 * stands for all the rest, in the installation's chain: kids that belong to no key are made up, so not kept.
 */
export function failureEvents(failures: readonly Failures[], owners: readonly KeyOwner[]): AuditEvent[] {
  const ownerOf = new Map(owners.map((owner) => [owner.kid, owner]));
  const ofKeys = failures
    .filter(({ kid }) => kid !== undefined && ownerOf.has(kid))
    .toSorted((a, b) => b.count - a.count)
    .slice(0, MOST_OF_KEYS);
  const rest = failures.filter((failure) => !ofKeys.includes(failure));
  const groups = [...new Set(rest.map(({ fault }) => fault))].map((fault) =>
    rest.filter((failure) => failure.fault === fault),
  );
  return [
    ...ofKeys.map((failure) => eventOf(failure, ownerOf.get(failure.kid!))),
    ...groups.map((group) => eventOf(sumOf(group))),
  ].toSorted((a, b) => (a.project < b.project ? -1 : 1)); // Whoever locks several chains does so in this order.
}

function eventOf({ fault, kid, count, from, to }: Failures, owner?: KeyOwner): AuditEvent {
  return {
    type: 'auth.failed',
    project: owner?.project ?? OPERATOR_PROJECT,
    actor: { kind: 'system', id: 'auth' },
    target: owner ? { kind: 'key', id: owner.keyId } : { kind: 'keys', id: 'any' },
    outcome: 'denied',
    diff: { reason: fault, count, ...(owner && { kid }), from, to },
  };
}

function sumOf(group: Failures[]): Failures {
  const times = (side: 'from' | 'to') => group.map((failure) => failure[side].getTime());
  return {
    fault: group[0]!.fault,
    count: group.reduce((sum, { count }) => sum + count, 0),
    from: new Date(Math.min(...times('from'))),
    to: new Date(Math.max(...times('to'))),
  };
}
