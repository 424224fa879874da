import { AppError } from './app-error.js';
import { MODEL_FAMILIES, modelFamily } from './models.js';
import { type Principal, reachOf, type Scope } from './principal.js';

/** Throws `request_too_large` for a text of more bytes than this, with its field. */
export function requireAtMost(bytes: number, param: string, text = ''): void {
  if (Buffer.byteLength(text) <= bytes) return;
  throw new AppError('request_too_large', `${param} may have at most ${bytes} bytes`, { param });
}

/** Throws `permission_denied` unless the caller has the scope. */
export function requireScope(principal: Principal | undefined, scope: Scope): void {
  if (principal?.scopes.has(scope)) return;
  throw new AppError('permission_denied', `this key may not do that: it lacks the scope ${scope}`, {
    details: { required_scope: scope },
  });
}

/** Throws `permission_denied` for whoever manages one project only. */
export function requireInstallation(principal: Principal, what: string): void {
  const reach = reachOf(principal);
  if (reach === undefined) return;
  throw new AppError('permission_denied', `this key manages the project ${reach} only: it may not ${what}`);
}

/** Throws `invalid_request` for what is neither `auto`, a family nor a full id. `hint` ends the message. */
export function requireModel(model: string, hint: () => string = () => ''): void {
  if (model === 'auto' || modelFamily(model)) return;
  const known = `${MODEL_FAMILIES.join(', ')}, auto or a full id such as claude-haiku-5-5`;
  throw new AppError('invalid_request', `model must be ${known}${hint()}`, { param: 'model' });
}
