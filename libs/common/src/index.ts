export { ACCESS_METADATA, Public, Requires, type Access } from './access.decorator.js';
export { AppError } from './app-error.js';
export { Caller, type RequestContext } from './caller.decorator.js';
export { Clock } from './clock.js';
export { CommonModule } from './common.module.js';
export { ERROR_TABLE, type ErrorCode } from './error-table.js';
export { newId } from './ids.js';
export { CURRENT_MODELS, MODEL_FAMILIES, modelFamily, type ModelFamily } from './models.js';
export { ADMIN_SCOPES, INFERENCE_SCOPES, type KeyGrants, type Principal, type Scope } from './principal.js';
