import type { PoolMember } from './pool-member.js';
import type { PoolKindDto } from './dto/pool-state.dto.js';

/** Enough to tell kinds apart. */
const SHOWN_CHARACTERS = 12;

/** The members by their kinds. */
export function stateOf(members: Iterable<PoolMember>): PoolKindDto[] {
  const kinds = new Map<string, PoolKindDto>();
  for (const { kind, phase, uses, process } of members) {
    const { fingerprint, label } = kind;
    const none = { fresh: 0, busy: 0, resetting: 0, rested: 0, uses: 0, memory_bytes: 0 };
    const state = kinds.get(fingerprint) ?? {
      ...{ fingerprint: fingerprint.slice(0, SHOWN_CHARACTERS), label },
      ...none,
    };
    state[phase] += 1;
    state.uses += uses;
    state.memory_bytes += process.memoryBytes();
    kinds.set(fingerprint, state);
  }
  return [...kinds.values()].toSorted((a, b) => a.label.localeCompare(b.label));
}
