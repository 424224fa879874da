import { Injectable } from '@nestjs/common';
import { KeyEpochs } from '@app/auth';
import { AppError, type Principal, requireInstallation } from '@app/common';
import { Transactions } from '@app/database';
import { TOOLS, TOOLS_THAT_FOLLOW } from '@app/ecosystem';
import { type KnownTier, TierBook, type TierChanges, type TierVersion } from '@app/permissions';
import { closestName } from '../closest-name.js';

const SHOWN_CHARACTERS = 100;

/** A tier with what it was before, newest first. */
export interface TierHistory {
  tier: KnownTier;
  versions: TierVersion[];
}

/**
 * Changes what the keys of a tier may do. A change is one transaction with its version, its audit event and the
 * next epoch of every key of the tier: from its commit on no instance starts a run by the tier of before. Every
 * administration key may look, only those of the whole installation may change.
 */
@Injectable()
export class TierAdministration {
  constructor(
    private readonly transactions: Transactions,
    private readonly book: TierBook,
    private readonly epochs: KeyEpochs,
  ) {}

  list(): Promise<KnownTier[]> {
    return this.book.list();
  }

  /** Throws `not_found` with the names that there are. */
  async show(name: string): Promise<TierHistory> {
    return { tier: await this.book.show(name), versions: await this.book.versions(name) };
  }

  /** Changes a tier, or makes it from another one. What is left out stays as it is there. */
  async set(by: Principal, name: string, changes: TierChanges, from?: string): Promise<KnownTier> {
    checkTools(changes.tools);
    await this.change(by, name, () => this.book.set(by, name, changes, from));
    return this.book.show(name);
  }

  /** Throws `conflict` while a key has it. */
  async remove(by: Principal, name: string): Promise<void> {
    await this.change(by, name, (keys) => this.book.remove(by, name, keys));
  }

  /** A default tier as the service ships it. */
  async reset(by: Principal, name: string): Promise<KnownTier> {
    await this.change(by, name, () => this.book.reset(by, name));
    return this.book.show(name);
  }

  private async change(by: Principal, name: string, work: (keys: number) => Promise<boolean>): Promise<void> {
    requireInstallation(by, 'change tiers');
    await this.transactions.run(async () => {
      const keys = await this.epochs.hold({ tier: name });
      if (await work(keys)) await this.epochs.raise({ tier: name });
    });
    await this.epochs.catchUp();
  }
}

/** Throws `invalid_request` for a name that no tool has. */
function checkTools(asked: TierChanges['tools']): void {
  if (asked === undefined || asked === 'all') return;
  const known = TOOLS.map((tool) => tool.name);
  const index = asked.findIndex((name) => !known.includes(name));
  if (index === -1) return;
  const name = asked[index]!.slice(0, SHOWN_CHARACTERS);
  const param = `tools.${index}`;
  if (Object.hasOwn(TOOLS_THAT_FOLLOW, name)) {
    const list = TOOLS_THAT_FOLLOW[name]!.replace('allow_', '');
    throw new AppError('invalid_request', `the tool ${name} comes with ${list}: leave it out here`, {
      param,
    });
  }
  const meant = closestName(name, known);
  const hint = meant === undefined ? `the tools are ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new AppError('invalid_request', `there is no tool ${JSON.stringify(name)}; ${hint}`, { param });
}
