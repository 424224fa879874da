import type { MigrationInterface } from 'typeorm';
import { Audit1000 } from './1000-audit.js';
import { Identity2000 } from './2000-identity.js';
import { Ledger3000 } from './3000-ledger.js';
import { Installation4000 } from './4000-installation.js';
import { Tasks5000 } from './5000-tasks.js';
import { Artifacts6000 } from './6000-artifacts.js';
import { Budgets7000 } from './7000-budgets.js';
import { Audit8000 } from './8000-audit.js';
import { Tiers9000 } from './9000-tiers.js';
import { Usage9500 } from './9500-usage.js';
import { AuditAppend9700 } from './9700-audit-append.js';
import { SteadyPlans9800 } from './9800-steady-plans.js';

/**
 * The schema's history, oldest first; one that was released never changes. TypeORM takes the order from the
 * last 13 characters of the name, hence the zeros.
 */
export const MIGRATIONS: (new () => MigrationInterface & { name: string })[] = [
  Audit1000,
  Identity2000,
  Ledger3000,
  Installation4000,
  Tasks5000,
  Artifacts6000,
  Budgets7000,
  Audit8000,
  Tiers9000,
  Usage9500,
  AuditAppend9700,
  SteadyPlans9800,
];
