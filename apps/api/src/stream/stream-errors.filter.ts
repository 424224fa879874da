import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import { asAppError, logProblem } from '../http/problem.js';
import { CLOSE } from './close-codes.js';
import type { Frame } from './frame.js';
import type { StreamSocket } from './stream-socket.js';

/** The frames that begin something: their refusal is its first event and its last. */
const BEGINNINGS = new Set(['completion', 'chat', 'task', 'subscribe']);

/**
 * Answers what a frame was refused for, under its id. A key that no longer works closes the socket.
 */
@Catch()
export class StreamErrorsFilter implements ExceptionFilter {
  private readonly logger = new Logger(StreamErrorsFilter.name);

  constructor(private readonly clock: Clock) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const socket = host.switchToWs().getClient<StreamSocket>();
    const { id, requestId, event } = host.switchToWs().getData<Frame>();
    const problem = asAppError(exception);
    logProblem(this.logger, problem, requestId);
    const { error, request_id } = problem.toEnvelope(requestId);
    // An id that is in use belongs to the request that has it: its client must not take this for its end.
    const isTaken = id !== undefined && socket.requests.has(id);
    const stamp = BEGINNINGS.has(event) ? { seq: 1, timestamp: this.clock.now().toISOString() } : {};
    socket.tell({
      type: 'error',
      ...(id === undefined || isTaken ? {} : { ...stamp, id }),
      error,
      request_id,
    });
    if (problem.code !== 'invalid_api_key') return;
    if (socket.principal) socket.end(CLOSE.keyRevoked, 'the API key has ended');
    else socket.end(CLOSE.notAuthenticated, 'not authenticated');
  }
}
