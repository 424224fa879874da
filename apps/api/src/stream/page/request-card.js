import { element } from './element.js';
import { Timeline } from './timeline.js';
import { duration, money, pretty, size } from './wording.js';

/** @import { Frame } from './connection.js' */
/** @import { Request } from './requests.js' */

/** How one request goes: its state, how long it takes, what it costs and all that happens in it. */
export class RequestCard {
  #startedAt = performance.now();
  #status = element('span', { className: 'status' }, 'sent');
  #elapsed = element('span', { className: 'number' });
  #cost = element('span', { className: 'number' });
  #facts = element('p', { className: 'facts quiet' });
  #cancel = element('button', { type: 'button' }, 'Cancel');
  /** @type {Timeline} */
  #timeline;
  /** @type {ReturnType<typeof setInterval>} */
  #clock;

  /**
   * @param {Request} request
   * @param {() => void} onCancel
   */
  constructor(request, onCancel) {
    const { id, frame } = request;
    this.#timeline = new Timeline(`Events of ${id}`);
    this.#cancel.setAttribute('aria-label', `Cancel ${id}`);
    this.#cancel.addEventListener('click', onCancel);
    const title = element(
      'h3',
      { id: `title-${id}` },
      element('code', {}, id),
      ' ',
      String(frame.prompt ?? frame.description),
    );
    this.element = element(
      'article',
      { className: 'card' },
      element('header', {}, title, this.#cancel),
      element('p', { className: 'meter' }, this.#status, this.#elapsed, this.#cost),
      this.#timeline.element,
      this.#facts,
    );
    this.element.setAttribute('aria-labelledby', title.id);
    this.#clock = setInterval(() => this.#tick(), 100);
    this.#tick();
    this.#say('sent');
  }

  /** @param {Frame} frame */
  show(frame) {
    if (frame.cost_usd !== undefined) this.#cost.textContent = money(frame.cost_usd);
    if (frame.task_id) this.#facts.textContent = frame.task_id;
    this.#timeline.add(frame);
    switch (frame.type) {
      case 'queued':
        return this.#say('queued', frame.position > 1 ? `queued, number ${frame.position}` : undefined);
      case 'result':
        return this.#result(frame);
      case 'done':
        return this.#done(frame);
      case 'error':
        this.#problem(frame.error, frame.request_id);
        return this.#end('error');
      default:
        return this.#say('running');
    }
  }

  cancelling() {
    this.#cancel.disabled = true;
    this.#say('running', 'cancelling');
  }

  /** @param {'waiting' | 'lost'} how the task goes on without us, the completion does not */
  disconnected(how) {
    this.#cancel.disabled = true;
    if (how === 'waiting') return this.#say('waiting', 'not connected, the task goes on');
    this.#timeline.note('event denied', 'The connection was lost, and the completion ended with it.');
    return this.#end('lost');
  }

  /** @param {number} after */
  resumed(after) {
    this.#cancel.disabled = false;
    this.#say('running');
    this.#timeline.note('event', `connected again, resumed after event ${after}`);
  }

  /** @param {Frame} frame */
  #result({ status, error, result, usage, artifacts }) {
    if (error) this.#problem(error);
    if (result?.structured_output != null) {
      this.#timeline.note('text', element('pre', {}, pretty(result.structured_output)));
    }
    for (const { path, size_bytes: bytes } of artifacts ?? []) {
      this.#timeline.note(
        'event',
        'file',
        element('b', {}, String(path)),
        element('span', { className: 'detail' }, size(bytes)),
      );
    }
    this.#facts.textContent += tokens(usage);
    this.#end(status);
  }

  /** @param {Frame} frame */
  #done({ finish_reason: reason, model, usage, warnings, run_id: runId }) {
    for (const warning of warnings ?? [])
      this.#timeline.note('event', 'warning', element('span', { className: 'detail' }, String(warning)));
    this.#facts.textContent = `${runId} · ${model}${tokens(usage)}`;
    this.#end(reason === 'stop' ? 'done' : reason);
  }

  /**
   * @param {{ code: string, message: string, param?: string | null, details?: object }} error
   * @param {string} [requestId]
   */
  #problem({ code, message, param, details }, requestId) {
    const line = this.#timeline.note('failure', element('b', {}, code), ' ', message);
    if (param) line.append(element('span', { className: 'detail' }, `field: ${param}`));
    if (details && Object.keys(details).length > 0) line.append(element('pre', {}, pretty(details)));
    if (requestId) this.#facts.textContent = requestId;
  }

  /**
   * @param {string} state
   * @param {string} [text]
   */
  #say(state, text = state.replaceAll('_', ' ')) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
    this.element.dataset.state = state;
  }

  /** @param {string} state */
  #end(state) {
    clearInterval(this.#clock);
    this.#tick();
    this.#timeline.end();
    this.#cancel.remove();
    this.element.dataset.over = '';
    this.#say(state);
  }

  #tick() {
    this.#elapsed.textContent = duration(performance.now() - this.#startedAt);
  }
}

/** @param {{ total_tokens: number | null } | null | undefined} usage */
const tokens = (usage) => (usage?.total_tokens ? ` · ${usage.total_tokens.toLocaleString('en')} tokens` : '');
