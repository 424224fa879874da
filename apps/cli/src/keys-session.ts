import { AuthModule, KeysService, operatorPrincipal } from '@app/auth';
import { Clock, type Principal } from '@app/common';
import { withServices } from './services-session.js';

/** The services of auth in this process, for as long as `work` runs. */
export function withKeys<T>(
  work: (keys: KeysService, operator: Principal, clock: Clock) => Promise<T>,
): Promise<T> {
  return withServices([AuthModule], (services) =>
    work(services.get(KeysService), operatorPrincipal(), services.get(Clock)),
  );
}
