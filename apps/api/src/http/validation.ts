import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { AppError } from '@app/common';

/**
 * Checks every DTO: what it does not declare is refused, nothing is converted behind its back, and the first
 * fault comes out as `invalid_request` with the dotted path in `param`. A route takes an empty body only when
 * its DTO would take `{}`.
 */
@Injectable()
export class Validation extends ValidationPipe {
  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      stopAtFirstError: true,
      transform: true,
      exceptionFactory: (errors) => refusalOf(errors[0]!),
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'custom') return value;
    if (metadata.type === 'body' && value === undefined) return this.transformNothing(metadata);
    const given = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    const checked: unknown = await super.transform(value, metadata);
    // Fields that are named like a method of the DTO are dropped on the way, unseen by the rules.
    const dropped = given.find((name) => !Object.hasOwn(checked as object, name));
    if (dropped !== undefined) throw unknownField(dropped);
    return checked;
  }

  private async transformNothing(metadata: ArgumentMetadata): Promise<unknown> {
    try {
      return await super.transform({}, metadata);
    } catch {
      throw new AppError('invalid_request', 'this route needs a JSON body');
    }
  }
}

function refusalOf(error: ValidationError): AppError {
  const path = [error.property];
  let deepest = error;
  while (!deepest.constraints && deepest.children?.[0]) {
    deepest = deepest.children[0];
    path.push(deepest.property);
  }
  const [rule, message] = Object.entries(deepest.constraints ?? {})[0] ?? ['', 'the request is not valid'];
  const param = path.join('.');
  if (rule === 'whitelistValidation' || rule === 'unknownValue') return unknownField(param);
  return new AppError('invalid_request', message, { param: param.slice(0, 256) });
}

function unknownField(path: string): AppError {
  const param = path.slice(0, 256);
  return new AppError('invalid_request', `unknown field ${JSON.stringify(param)}`, { param });
}
