import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { ConfigError } from '@app/config';
import { banner } from './banner.js';
import { type RunningServer, type ServeOptions, startServer } from './start-server.js';

const USAGE = 'usage: claude-api serve [--demo] [--port N] [--host ADDRESS]';

/** `claude-api serve`: runs the server until it is told to stop. What is wrong is said in one line. */
export async function serve(args: string[] = []): Promise<void> {
  const options = optionsOf(args);
  if (!options) {
    console.error(USAGE);
    process.exit(2);
  }
  try {
    const starting = startServer(options);
    stopOnSignal(starting);
    console.log(banner((await starting).facts));
  } catch (error) {
    console.error(error instanceof ConfigError ? `claude-api: ${error.message}` : error);
    process.exit(1);
  }
}

function optionsOf(args: string[]): ServeOptions | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: { demo: { type: 'boolean' }, port: { type: 'string' }, host: { type: 'string' } },
    });
    if (values.port !== undefined && !isPort(values.port)) return undefined;
    return { ...values, port: values.port === undefined ? undefined : Number(values.port) };
  } catch {
    return undefined;
  }
}

const isPort = (text: string) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535;

/** `npm start` passes on the Ctrl-C that the terminal has already delivered: within a second it is the same one. */
const SAME_SIGNAL_MS = 1000;

/** From the first moment: a start that is cut half-way would leave its Postgres behind, so it is awaited. */
function stopOnSignal(starting: Promise<RunningServer>): void {
  let stoppingSince: number | undefined;
  const stop = async () => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    console.error('stopping: running work has 30 s to end; once more to stop at once');
    // A start that fails ends the process by itself.
    const server = await starting.catch(() => undefined);
    await server?.stop();
    if (server) process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
}
