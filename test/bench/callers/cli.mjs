// `claude -p` for each request.
import { spawn } from 'node:child_process';
import { cliPath, homesOf, MODEL } from './plain-cli.mjs';

const OPTIONS = [
  ...['-p', '--model', MODEL, '--tools', '', '--system-prompt', '', '--setting-sources', ''],
  ...['--restricted', '--no-session-persistence', '--strict-mcp-config'],
  ...['--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
];

export function open({ modelUrl, prompt }) {
  const homes = homesOf(modelUrl);
  const program = cliPath();
  return {
    prepare: homes.prepare,
    close: homes.close,
    call: (client, onFirst) =>
      new Promise((resolve, reject) => {
        const { cwd, env } = homes.of(client);
        const child = spawn(program, OPTIONS, { cwd, env });
        let said = '';
        child.stdout.setEncoding('utf8').on('data', (piece) => {
          said += piece;
          if (said.includes('"text_delta"')) onFirst();
        });
        child.stderr.setEncoding('utf8').on('data', (piece) => (said += piece));
        child.on('error', reject);
        child.on('close', () =>
          said.includes('"subtype":"success"') ? resolve() : reject(new Error(`claude -p: ${said}`)),
        );
        child.stdin.end(prompt);
      }),
  };
}
