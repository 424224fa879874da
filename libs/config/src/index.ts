export { AppConfig, type ModelCredential } from './app-config.js';
export { type ClientSettings, clientSettings } from './client-settings.js';
export { ConfigError } from './config-error.js';
export { ConfigModule } from './config.module.js';
export { configuredRole, loadConfig, showConfig } from './load-config.js';
export { childEnvironment } from './process-environment.js';
