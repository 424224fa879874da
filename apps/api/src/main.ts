import 'reflect-metadata';
import { parseArgs } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { type AppConfig, ConfigError, configuredRole, loadConfig } from '@app/config';
import { banner } from './banner.js';
import { StructuredLog } from './logging/structured-log.js';
import { type ServeOptions, startServer } from './start-server.js';

const USAGE = 'usage: claude-api serve [--demo] [--port N] [--host ADDRESS]';

/** What runs until it is told to stop, and what the operator reads when it has started. */
interface Running {
  banner: string;
  stop(): Promise<void>;
}

/** The program for `ROLE=worker`. The launcher brings it: apps do not import each other. */
type LoadWorker = () => Promise<{
  startWorker(config: AppConfig, logger: LoggerService): Promise<Running>;
}>;

/**
 * `claude-api serve`: runs the server, or with `ROLE=worker` the worker, until it is told to stop. What is wrong
 * is said in one line.
 */
export async function serve(args: string[] = [], loadWorker?: LoadWorker): Promise<void> {
  const options = optionsOf(args);
  if (!options) {
    console.error(USAGE);
    process.exit(2);
  }
  try {
    const asWorker = loadWorker && !options.demo && configuredRole() === 'worker';
    const starting = asWorker ? worker(options, loadWorker) : server(options);
    stopOnSignal(starting);
    console.log((await starting).banner);
  } catch (error) {
    console.error(error instanceof ConfigError ? `claude-api: ${error.message}` : error);
    process.exit(1);
  }
}

async function server(options: ServeOptions): Promise<Running> {
  const { facts, stop } = await startServer(options);
  return { banner: banner(facts), stop };
}

async function worker(options: ServeOptions, load: LoadWorker): Promise<Running> {
  const config = loadConfig(options);
  const { startWorker } = await load();
  return startWorker(config, new StructuredLog(config));
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
function stopOnSignal(starting: Promise<Running>): void {
  let stoppingSince: number | undefined;
  const stop = async () => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    console.error('stopping: running work has 30 s to end; once more to stop at once');
    // A start that fails ends the process by itself.
    const running = await starting.catch(() => undefined);
    await running?.stop();
    if (running) process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
}
