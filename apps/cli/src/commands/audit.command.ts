import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { AuditExportCommand } from './audit-export.command.js';
import { AuditListCommand } from './audit-list.command.js';
import { AuditPublicKeyCommand } from './audit-public-key.command.js';
import { AuditTailCommand } from './audit-tail.command.js';
import { AuditVerifyCommand } from './audit-verify.command.js';

@Command({
  name: 'audit',
  description: 'what happened, and the proof of it',
  subCommands: [
    AuditListCommand,
    AuditTailCommand,
    AuditExportCommand,
    AuditVerifyCommand,
    AuditPublicKeyCommand,
  ],
})
export class AuditCommand extends GroupCommand {}
