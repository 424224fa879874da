import { Command } from 'nest-commander';
import { GroupCommand } from '../group.command.js';
import { KeysCreateCommand } from './keys-create.command.js';
import { KeysListCommand } from './keys-list.command.js';
import { KeysRevokeCommand } from './keys-revoke.command.js';
import { KeysRotateCommand } from './keys-rotate.command.js';
import { KeysShowCommand } from './keys-show.command.js';
import { KeysTestCommand } from './keys-test.command.js';
import { KeysUpdateCommand } from './keys-update.command.js';

@Command({
  name: 'keys',
  description: 'make, show, change and revoke API keys',
  subCommands: [
    KeysCreateCommand,
    KeysListCommand,
    KeysShowCommand,
    KeysUpdateCommand,
    KeysRotateCommand,
    KeysRevokeCommand,
    KeysTestCommand,
  ],
})
export class KeysCommand extends GroupCommand {}
