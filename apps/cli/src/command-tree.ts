import { Injectable } from '@nestjs/common';
import { type CommandRunner, InjectCommander } from 'nest-commander';

/** Commander's command; the package itself belongs to nest-commander. */
export type Command = Parameters<CommandRunner['setCommand']>[0];

/** Hands out the root of the commands that nest-commander builds. */
@Injectable()
export class CommandTree {
  constructor(@InjectCommander() readonly root: Command) {}
}
