import { AppError } from '@app/common';
import { JsonScan } from './json-scan.js';

/** The one object that strict JSON text within the limits holds. `what` names the text in a refusal. */
export function jsonObject(what: string, text: string): Record<string, unknown> {
  new JsonScan(what, text).check();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid_json', `${what} is not well-formed JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', `${what} must be a JSON object`);
  }
  return value as Record<string, unknown>;
}
