export type { AgentEntry, Catalogue } from './catalogue.js';
export { EcosystemModule } from './ecosystem.module.js';
export { Ecosystem } from './ecosystem.service.js';
export { TOOLS, TOOLS_THAT_FOLLOW } from './tools.js';
