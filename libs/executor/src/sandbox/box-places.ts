/** Where things are inside every box. */
export const BOX_HOME = '/home/claude';
export const BOX_CONFIG = `${BOX_HOME}/.claude`;
export const BOX_TMP = '/tmp';
export const BOX_SHM = '/dev/shm';
export const BOX_WORKSPACE = '/workspace';
export const BOX_PLUGIN = '/plugin';
/** A name that the CLI takes for a transcript and not for the id of a session. */
export const BOX_TRANSCRIPT = '/transcript.jsonl';
export const BOX_PROGRAM = '/opt/claude/claude';
export const BOX_NODE = '/opt/claude/bin/node';
export const BOX_SOCKET = '/run/broker.sock';
export const BOX_BROKER_PORT = 8787;
export const BOX_UID = 1000;
export const BOX_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/claude/bin';
