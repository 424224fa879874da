import type { PoolMember } from './pool-member.js';
import type { PoolKindState } from './pool-state.js';

/** The members by their kinds. */
export function stateOf(members: Iterable<PoolMember>): PoolKindState[] {
  const kinds = new Map<string, PoolKindState>();
  for (const { kind, phase, uses, process } of members) {
    const { fingerprint, label } = kind;
    const none = { fresh: 0, busy: 0, resetting: 0, rested: 0, uses: 0, memory_bytes: 0 };
    const state = kinds.get(fingerprint) ?? { fingerprint, label, ...none };
    state[phase] += 1;
    state.uses += uses;
    state.memory_bytes += process.memoryBytes();
    kinds.set(fingerprint, state);
  }
  return [...kinds.values()].toSorted((a, b) => a.label.localeCompare(b.label));
}
