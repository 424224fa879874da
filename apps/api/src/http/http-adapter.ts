import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import { answerProtocolErrors } from './protocol-errors.js';

/** Times in milliseconds. A time limit on receiving a request never cuts the answer to it. */
const SERVER_OPTIONS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  // Longer than the usual 60 s of load balancers, so that they and not we close an idle connection.
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
  // Node would answer a missing Host without our envelope: ingress checks it.
  requireHostHeader: false,
  // Whoever asks for another protocol than ours gets a plain answer, as HTTP says (curl --http2 asks for h2c).
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
};
const MAX_CONNECTIONS = 5_000;
/** At shutdown all runs have ended: a client that still does not read its answer is given this long. */
const UNREAD_ANSWER_MS = 5_000;

/**
 * Express on a Node server with our limits on slow, large and malformed requests. Routes match exactly: case
 * and trailing slash count.
 */
export class HttpAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const server = createServer(SERVER_OPTIONS, this.getInstance());
    // Node would drop what is over the count silently: ingress counts.
    server.maxHeadersCount = 0;
    server.maxConnections = MAX_CONNECTIONS;
    leaveExpectationsToTheRoute(server);
    answerProtocolErrors(server);
    this.httpServer = server;
    // The constructor of Nest's adapter makes the router before anyone can set Express's own switches.
    Object.assign(this.getInstance().router, { caseSensitive: true, strict: true });
    this.getInstance().disable('x-powered-by').set('trust proxy', false).set('etag', false);
  }

  /** Node closes the connections that are idle when it is asked, and waits a minute for those that become so. */
  override async close(): Promise<void> {
    const server: Server = this.httpServer;
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    const impatience = setTimeout(() => server.closeAllConnections(), UNREAD_ANSWER_MS);
    await new Promise((closed) => server.close(closed));
    clearInterval(idle);
    clearTimeout(impatience);
  }
}

/** `Expect: 100-continue` is answered when a route starts to read the body, so a refusal comes before it is sent. */
function leaveExpectationsToTheRoute(server: Server): void {
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    server.emit('request', request, response);
  server.on('checkContinue', handle).on('checkExpectation', handle);
}
