'use strict';
// Runs on a new enough Node only: claude-api.cjs has seen to that.

const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { BuildError, buildIfStale } = require('./build.cjs');

const root = join(__dirname, '..');

if (process.channel) {
  // Started by claude-api.cjs: when that process dies, this one is asked to stop as if by a signal.
  process.channel.unref();
  process.on('disconnect', () => process.emit('SIGTERM', 'SIGTERM') || process.exit(143));
}

start(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof BuildError ? error.message : error);
  process.exit(1);
});

async function start(args) {
  buildIfStale(root);
  const serving = args[0] === 'serve' && !args.includes('--help') && !args.includes('-h');
  const app = await load(serving ? 'api' : 'cli');
  await (serving ? app.serve(args.slice(1), () => load('worker')) : app.run(args));
}

function load(app) {
  return import(pathToFileURL(join(root, 'dist', 'apps', app, 'src', 'main.js')).href);
}
