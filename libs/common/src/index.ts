export { ACCESS_METADATA, Public, Requires, type Access } from './access.decorator.js';
export { AppError } from './app-error.js';
export { Caller, principalIn, type RequestContext, type SocketContext } from './caller.decorator.js';
export { Clock } from './clock.js';
export { CommonModule } from './common.module.js';
export { csvRow } from './csv.js';
export { download } from './download.js';
export { ERROR_TABLE, type ErrorCode } from './error-table.js';
export { EventStream, LONGEST_STALL_MS } from './event-stream.js';
export { newId } from './ids.js';
export { Metrics } from './metrics.js';
export { CURRENT_MODELS, MODEL_FAMILIES, modelFamily, type ModelFamily } from './models.js';
export { Optional } from './optional.decorator.js';
export { PageLimitDto, PageQueryDto } from './page-query.dto.js';
export {
  ADMIN_SCOPES,
  INFERENCE_SCOPES,
  type KeyGrants,
  OPERATOR_PROJECT,
  type Principal,
  reachOf,
  type Scope,
} from './principal.js';
export { requireAtMost, requireInstallation, requireModel, requireScope } from './request-checks.js';
export { Upkeep } from './upkeep.js';
