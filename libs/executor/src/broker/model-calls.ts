import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { CredentialHealth } from '../credential-health.js';
import type { ModelCall } from '../run-meter.js';
import { AnswerReader, unreported } from './answer-reader.js';
import type { BoundRun } from './bound-run.js';
import { passAnswer } from './pass-answer.js';
import { refuse } from './refuse.js';
import { MissingCredential, Upstream, type UpstreamAnswer } from './upstream.js';
import { messagesRequest, upstreamBody } from './upstream-body.js';

const LARGEST_REQUEST_BYTES = 32 * 1024 * 1024;
const LONGEST_ERROR = 4096;
const LONGEST_RETRY_AFTER_S = 86_400;
/** Failures that the CLI would only make worse by trying again or by looking for another login. */
const FINAL_FOR_THE_CLI = new Set([401, 403]);

/**
 * Brings a model call of a run to the model's API and its answer back. Each is authorised before and metered
 * after; what is held and what is wasted of it is bounded per run.
 */
@Injectable()
export class ModelCalls {
  private readonly logger = new Logger(ModelCalls.name);

  constructor(
    private readonly upstream: Upstream,
    private readonly credential: CredentialHealth,
  ) {}

  /** Never rejects: what went wrong is answered, if anybody is there to hear it. */
  async bring(run: BoundRun, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.take(run, request, response);
    } catch (error) {
      if (!run.aborted.signal.aborted)
        this.logger.warn({ msg: 'model call failed', runId: run.runId, err: error });
      if (response.headersSent) response.destroy();
      else refuse(response, 502, 'api_error', 'the model’s API could not be reached');
    }
  }

  /** Holds what comes in only while there is room for it, and counts what comes to nothing. */
  private async take(run: BoundRun, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const held = { bytes: 0 };
    try {
      const text = await readBody(run, request, held).catch(() => null);
      if (text === undefined) return refuse(response, 429, 'rate_limit_error', 'too much at once');
      // A caller that went away while it asked.
      if (text === null) return;
      const isForwarded = await this.forward(run, request, response, text);
      if (!isForwarded) run.waste(held.bytes);
    } finally {
      run.letGo(held.bytes);
    }
  }

  /** False = it was not worth anything: refused here, or by the model's API. */
  private async forward(
    run: BoundRun,
    request: IncomingMessage,
    response: ServerResponse,
    text: string,
  ): Promise<boolean> {
    const parsed = messagesRequest.safeParse(parsedJson(text));
    const verdict = parsed.success
      ? await run.authorise(parsed.data, Buffer.byteLength(text))
      : { message: 'not a messages request' };
    if (!parsed.success || !('call' in verdict)) {
      refuse(response, 400, 'invalid_request_error', (verdict as { message: string }).message);
      return false;
    }
    const body = JSON.stringify(upstreamBody(verdict.request, run.sampling, verdict.call.maxTokens));
    const answer = new AnswerReader(verdict.call.model, run.isTask ? undefined : run.heard);
    let isTaken = false;
    try {
      const upstream = await this.upstream.send(request.url ?? '', request.headers, body, run.aborted.signal);
      if (upstream.statusCode >= 400) {
        await this.passError(run, verdict.call, upstream, response);
        return false;
      }
      isTaken = true;
      this.credential.accepted();
      const { isHeard } = run;
      const how = { streamed: parsed.data.stream === true, signal: run.aborted.signal, isHeard };
      await passAnswer(upstream, response, answer, how);
      run.finish(verdict.call, answer);
      return true;
    } catch (error) {
      if (isTaken) run.finish(verdict.call, answer);
      else {
        const usage = wasNotSent(error) ? null : unreported(verdict.call.model);
        run.fail(verdict.call, { status: null, message: String(error) }, usage);
      }
      throw error;
    }
  }

  private async passError(
    run: BoundRun,
    call: ModelCall,
    upstream: UpstreamAnswer,
    response: ServerResponse,
  ): Promise<void> {
    const { statusCode: status, headers } = upstream;
    const retryAfter = Number(headers['retry-after']);
    const retryAfterSeconds = retryAfter > 0 ? Math.min(retryAfter, LONGEST_RETRY_AFTER_S) : undefined;
    // A gateway may quote the request: its credential is not for the CLI, the caller or the log.
    const text = this.upstream.withoutSecret(await beginningOf(upstream)).slice(0, LONGEST_ERROR);
    if (isAboutCredential(status, text)) this.credential.refused();
    run.fail(call, { status, message: text, retryAfterSeconds });
    response.writeHead(FINAL_FOR_THE_CLI.has(status) ? 400 : status, { 'content-type': 'application/json' });
    response.end(text);
  }
}

/** A firewall before the API says 403 to what a request holds: no tenant may make the credential look bad by that. */
function isAboutCredential(status: number, text: string): boolean {
  return (
    status === 401 || (status === 403 && /"type"\s*:\s*"(?:permission|authentication)_error"/.test(text))
  );
}

/** Before there was a connection. After that nobody knows how far the call came, nor what it costs. */
const NOT_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|CERT_.*|SELF_SIGNED_.*|DEPTH_ZERO_.*|UNABLE_TO_.*)$/;

function wasNotSent(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? error) as { code?: unknown };
  return error instanceof MissingCredential || NOT_CONNECTED.test(String(code));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Enough to say what went wrong, however long the rest is. */
async function beginningOf({ body }: UpstreamAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LONGEST_ERROR) break;
  }
  return text;
}

/** Undefined = longer than any, or than what the run has room for. What is held is counted in `held`. */
async function readBody(
  run: BoundRun,
  request: IncomingMessage,
  held: { bytes: number },
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (held.bytes + chunk.length > LARGEST_REQUEST_BYTES || !run.hold(chunk.length)) return undefined;
    held.bytes += chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
