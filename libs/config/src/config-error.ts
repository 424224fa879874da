/** A setting that cannot work. The message is one line that says what to change; it goes to the terminal. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
