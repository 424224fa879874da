import { Injectable, Logger } from '@nestjs/common';
import { Prices } from './prices.js';
import { type Amounts, RunAccount, tokensOf } from './run-account.js';
import { RunLedger } from './run-ledger.repository.js';

/** Opens the accounts of runs, over the prices in force and the ledger. */
@Injectable()
export class RunAccounts {
  private readonly logger = new Logger(RunAccounts.name);
  private readonly unpriced = new Set<string>();

  constructor(
    private readonly prices: Prices,
    private readonly ledger: RunLedger,
  ) {}

  /** What a first call with this prompt takes at the least: less is not worth starting for. */
  firstCall(model: string, promptBytes: number, outputTokens: number): Amounts {
    this.warnOnce(model);
    const tokens = tokensOf(promptBytes);
    const { promptNano, perOutputTokenNano } = this.prices.ceiling(model, tokens);
    const output = BigInt(outputTokens);
    return { nano: promptNano + output * perOutputTokenNano, tokens: BigInt(tokens) + output };
  }

  open(run: { runId: string; limitNano: bigint; budgeted: boolean }): RunAccount {
    return new RunAccount({
      ...run,
      prices: this.prices,
      extend: (ask) => this.ledger.extend(run.runId, ask),
    });
  }

  /** The operator can give it a price; until then its runs cost nobody knows what. */
  private warnOnce(model: string): void {
    if (this.prices.knows(model) || this.unpriced.size > 1_000 || this.unpriced.has(model)) return;
    this.unpriced.add(model);
    this.logger.warn({
      msg: 'a model has no price: it is reserved as the dearest, its cost is unknown',
      model,
    });
  }
}
