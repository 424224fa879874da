import { ChainCheck, type ChainFault, type CheckKeys } from '../chain/chain-check.js';
import { type ChainVerdict, verdictOf } from '../chain/chain-verdict.js';
import type { Checkpoint } from '../chain/checkpoint.js';
import { checkpointOf } from '../chain/checkpoint-line.js';
import { type AuditLine, type ChainLine, type ExportLine, headOf, recordOf } from './export-lines.js';

export interface ExportVerdict {
  ok: boolean;
  /** When the file was written and with which key its checkpoints were signed, as it says itself. */
  exportedAt: string;
  publicKey: string;
  chains: ChainVerdict[];
  /** What is wrong with the file as a whole. */
  problem?: string;
}

/** Not an export of the audit, or one whose lines were spoilt. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}

/** The chain that is being read. */
interface OpenChain {
  line: ChainLine;
  checkpoints: Checkpoint[];
  check?: ChainCheck;
  fault?: ChainFault;
}

/** Throws `ExportError` for what is no export of the audit. */
export async function checkExport(
  lines: AsyncIterable<string>,
  keys: CheckKeys,
  anchors: readonly Checkpoint[] = [],
): Promise<ExportVerdict> {
  const check = new ExportCheck(keys, anchors);
  let number = 0;
  for await (const line of lines) {
    number += 1;
    try {
      check.take(JSON.parse(line) as AuditLine);
    } catch (error) {
      if (error instanceof ExportError) throw error;
      throw new ExportError(`its line ${number} is not as an export writes it`);
    }
  }
  return check.verdict();
}

/**
 * Checks an export line by line, without a database: each chain as the database's would be. `anchors` are
 * checkpoints kept elsewhere, such as in a copy of the log: they show what somebody cut off who could change
 * everything else. Throws `ExportError` for what cannot be read.
 */
class ExportCheck {
  readonly #chains: ChainVerdict[] = [];
  #header?: ExportLine;
  #open?: OpenChain;
  #events = 0;
  #problem?: string;
  #ended = false;

  constructor(
    private readonly keys: CheckKeys,
    private readonly anchors: readonly Checkpoint[] = [],
  ) {}

  take(line: AuditLine): void {
    if (this.#ended) throw new ExportError('something follows its last line');
    if (!this.#header) return this.#begin(line);
    switch (line.kind) {
      case 'chain':
        this.#close();
        this.#open = { line, checkpoints: [] };
        return;
      case 'checkpoint':
        this.#chain(line.kind).checkpoints.push(checkpointOf(line));
        return;
      case 'event': {
        const open = this.#chain(line.kind);
        this.#events += 1;
        open.fault ??= this.#checkOf(open).take(recordOf(line));
        return;
      }
      case 'end':
        this.#close();
        this.#ended = true;
        if (line.chains !== this.#chains.length || line.events !== this.#events) {
          this.#problem = 'the file does not hold as many events as its last line says';
        }
        return;
      default:
        throw new ExportError('it holds a line of an unknown kind');
    }
  }

  verdict(): ExportVerdict {
    if (!this.#header) throw new ExportError('it is empty');
    if (!this.#ended) {
      this.#close();
      this.#problem ??= 'the file is cut off: its last line is missing';
    }
    this.#chains.push(...this.#lostChains());
    const ok = this.#problem === undefined && this.#chains.every((chain) => chain.ok);
    const { at: exportedAt, public_key: publicKey } = this.#header;
    return { ok, exportedAt, publicKey, chains: this.#chains, problem: this.#problem };
  }

  #begin(line: AuditLine): void {
    if (line.kind !== 'export') throw new ExportError('it does not begin as an export of the audit does');
    if (line.version !== 1) throw new ExportError('it was written by a newer version');
    this.#header = line;
  }

  #chain(kind: string): OpenChain {
    if (!this.#open) throw new ExportError(`a line of kind ${kind} belongs to no chain`);
    return this.#open;
  }

  #checkOf(open: OpenChain): ChainCheck {
    const { project } = open.line;
    open.check ??= ChainCheck.of(project, [...open.checkpoints, ...this.anchors], this.keys);
    return open.check;
  }

  #close(): void {
    const open = this.#open;
    if (!open) return;
    const check = this.#checkOf(open);
    const fault = open.fault ?? check.end(headOf(open.line), open.line.more) ?? unsignedEnd(check);
    this.#chains.push(verdictOf(open.line.project, check, fault));
    this.#open = undefined;
  }

  /** Chains that were signed once, should be in this file, and are not. */
  #lostChains(): ChainVerdict[] {
    const { project } = this.#header!;
    const found = new Set(this.#chains.map((chain) => chain.project));
    const lost = new Set(
      this.anchors
        .map((anchor) => anchor.project)
        .filter((name) => !found.has(name) && (project === null || project === name)),
    );
    return [...lost].map((name) =>
      verdictOf(name, ChainCheck.of(name, [], this.keys), { seq: 1, flaw: 'missing' }),
    );
  }
}

/** An export signs where each chain ends when it is made. */
function unsignedEnd({ signed, start, last }: ChainCheck): ChainFault | undefined {
  const covered = signed?.seq ?? start.seq;
  return covered === last.seq ? undefined : { seq: covered + 1, flaw: 'unsigned' };
}
