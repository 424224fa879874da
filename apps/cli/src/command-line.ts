import { CommandFactory } from 'nest-commander';
import packageJson from '../../../package.json' with { type: 'json' };
import { CliModule } from './cli.module.js';
import { type Command, CommandTree } from './command-tree.js';
import { UsageError } from './failures.js';
import type { Terminal } from './terminal.js';

/**
 * Runs one command line and returns its exit code: 0, 1 (failed) or 2 (the line itself is wrong). Whatever
 * fails is said in one line, with `--json` as one envelope on stdout.
 */
export async function execute(argv: string[], terminal: Terminal): Promise<number> {
  const app = await CommandFactory.createWithoutRunning(CliModule.on(terminal), { logger: false });
  const { root } = app.get(CommandTree, { strict: false });
  root.name('claude-api').description(packageJson.description).version(packageJson.version);
  const path = [root.name()];
  prepare(root, path, terminal);
  try {
    await root.parseAsync(argv, { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    return await report(error, argv, path, terminal);
  } finally {
    await app.close();
  }
}

/** Commander must neither exit nor print errors by itself; `path` collects the words that chose the verb. */
function prepare(command: Command, path: string[], terminal: Terminal): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    // A group tells an unknown verb apart by itself.
    .allowExcessArguments(command.commands.length > 0)
    .hook('preSubcommand', (_, chosen) => void path.push(chosen.name()));
  for (const child of command.commands) prepare(child, path, terminal);
}

async function report(error: unknown, argv: string[], path: string[], terminal: Terminal): Promise<number> {
  const {
    code,
    exitCode: commanderExit,
    message,
  } = error as { code?: string; exitCode?: number; message: string };
  if (commanderExit === 0) return 0; // --help, --version
  const complaint = commanderExit === undefined ? error : new UsageError(sayWhatIsWrong(code, message));
  const { endingOf } = await import('./endings.js');
  const { envelope, exitCode, message: line } = endingOf(complaint);
  if (ownFlags(argv).includes('--json')) terminal.json(envelope);
  terminal.say(`error: ${line}`);
  if (exitCode === 2) terminal.say(`run "${path.join(' ')} --help" for what it takes`);
  return exitCode;
}

function sayWhatIsWrong(code: string | undefined, message: string): string {
  if (code === 'commander.help') return 'a command is missing';
  return message.replace(/^error: /, '').replaceAll(/\s+/g, ' ');
}

function ownFlags(argv: string[]): string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}
