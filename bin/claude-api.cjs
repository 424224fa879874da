#!/usr/bin/env node
'use strict';
// The entry of `npm start` and `npx claude-api`. It must load on any Node, however old, to say what is
// missing or to hand over to the Node that the packages brought: no syntax newer than ES5 in this file.

var checkNode = require('../scripts/check-node.cjs');

var choice = checkNode.pickNode(process.version, process.platform, process.arch, require.resolve);
if (choice.kind === 'own') require('./start.cjs');
else if (choice.kind === 'pinned') handOver(choice.path);
else fail(choice.message);

function handOver(node) {
  var onWindows = process.platform === 'win32';
  var child = require('child_process').spawn(node, [__filename].concat(process.argv.slice(2)), {
    // The channel tells the child when this process is gone, however it went (start.cjs).
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // In its own process group, so that a terminal's Ctrl-C comes once: from here. Windows has no such groups.
    detached: !onWindows,
  });
  var lastSignalAt = 0;
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
    process.on(signal, function () {
      // npm passes on the Ctrl-C that the terminal has already delivered: within a second it is the same one.
      var repeated = Date.now() - lastSignalAt < 1000;
      lastSignalAt = Date.now();
      if (!onWindows && !repeated) child.kill(signal);
    });
  });
  // In a session of its own it would not hear that the window was resized.
  if (!onWindows) {
    process.on('SIGWINCH', function () {
      child.kill('SIGWINCH');
    });
  }
  child.on('error', function () {
    fail(checkNode.tooOld(process.version));
  });
  child.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
