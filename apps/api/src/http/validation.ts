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
    if (metadata.type !== 'body' || value !== undefined) return super.transform(value, metadata);
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
  const param = path.join('.').slice(0, 256);
  const isUnknown = rule === 'whitelistValidation' || rule === 'unknownValue';
  return new AppError('invalid_request', isUnknown ? `unknown field ${JSON.stringify(param)}` : message, {
    param,
  });
}
