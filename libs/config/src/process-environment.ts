/**
 * The variables a child process may inherit: how to find programs, the language, certificates and proxies.
 * Nothing of ours and no credential; what a child needs beyond that is given to it by name.
 */
const INHERITED = [
  'PATH',
  'LANG',
  'LC_ALL',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
  'SystemRoot',
  'windir',
  'COMSPEC',
  'PATHEXT',
  'TEMP',
  'TMP',
];

export function childEnvironment(
  env: Record<string, string | undefined> = process.env,
): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = env[name];
    if (value !== undefined) inherited[name] = value;
  }
  return inherited;
}
