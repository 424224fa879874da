import { element, growing } from './element.js';
import { brief, pretty } from './wording.js';

/** @import { Frame } from './connection.js' */

/** What happened, in order: text that grows, thoughts, tool calls that get their results, agents, skills, refusals. */
export class Timeline {
  element = element('ol', { className: 'timeline', tabIndex: 0 });
  /** The text that the next token continues. @type {{ type: string, text: Text } | undefined} */
  #growing;
  /** Tool calls that wait for their results, by id. @type {Map<string, HTMLDetailsElement>} */
  #calls = new Map();

  /** @param {string} label */
  constructor(label) {
    this.element.setAttribute('aria-label', label);
  }

  /** @param {Frame} frame */
  add(frame) {
    growing(this.element, () => this.#add(frame));
  }

  /**
   * A line of our own.
   * @param {string} className
   * @param {...(Node | string)} children
   */
  note(className, ...children) {
    this.#growing = undefined;
    const line = element('li', { className }, ...children);
    growing(this.element, () => this.element.append(line));
    return line;
  }

  /** @param {Frame} frame */
  #add(frame) {
    switch (frame.type) {
      case 'token':
      case 'thinking':
        return this.#grow(frame.type, frame.content);
      case 'started':
        return void this.note('event', 'started', detail(frame.model), ...policy(frame.effective_policy));
      case 'tool_call':
        return this.#call(frame, '', frame.tool, frame.arguments, frame.agent);
      case 'tool_result':
        return this.#result(frame);
      case 'agent_spawn':
        return this.#call(frame, 'agent', frame.agent, frame.reason, frame.spawned_by);
      case 'skill_invoke':
        return this.#call(frame, 'skill', frame.skill, frame.input, frame.agent);
      case 'permission_denied':
        return void this.note(
          'event denied',
          tag('denied'),
          strong(frame.tool),
          detail(`${frame.message} (${frame.rule})`),
        );
      case 'retry':
        return void this.note('event', `retry ${frame.attempt}`, detail(upstream(frame.upstream_status)));
      default:
    }
  }

  /**
   * @param {'token' | 'thinking'} type
   * @param {string} content
   */
  #grow(type, content) {
    if (this.#growing?.type !== type) {
      const text = document.createTextNode('');
      if (type === 'token') this.note('text', text);
      else
        this.note(
          'thought',
          element('details', {}, element('summary', {}, 'thinking'), element('p', {}, text)),
        );
      this.#growing = { type, text };
    }
    this.#growing.text.appendData(content);
  }

  /**
   * @param {Frame} frame
   * @param {'' | 'agent' | 'skill'} kind
   * @param {string} name
   * @param {unknown} input
   * @param {string} [caller] the subagent that calls
   */
  #call({ tool_use_id: id }, kind, name, input, caller) {
    const what = [...by(caller), ...(kind ? [tag(kind)] : []), strong(name), detail(brief(input))];
    const summary = element('summary', {}, ...what, outcome('running'));
    const call = element('details', {}, summary, element('pre', {}, pretty(input)));
    this.note(`call${caller ? ' of-agent' : ''}`, call);
    this.#calls.set(id, call);
  }

  /** @param {Frame} frame */
  #result({ tool_use_id: id, result, status }) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.querySelector('.outcome')?.replaceWith(outcome(status));
    call?.append(element('pre', { className: 'result' }, String(result)));
  }

  /** Nothing runs any more. */
  end() {
    for (const call of this.#calls.values())
      call.querySelector('.outcome')?.replaceWith(outcome('no result'));
    this.#calls.clear();
  }
}

/** @param {string} text */
const tag = (text) => element('span', { className: 'tag' }, text);
/** @param {'running' | 'ok' | 'error' | 'no result'} how */
const outcome = (how) => element('span', { className: `tag outcome ${how}` }, how);
/** @param {string} text */
const strong = (text) => element('b', {}, String(text));
/** @param {unknown} text */
const detail = (text) => element('span', { className: 'detail' }, String(text ?? ''));
/** @param {string | undefined} agent */
const by = (agent) => (agent ? [element('span', { className: 'by' }, agent)] : []);
/** @param {number | null} status */
const upstream = (status) =>
  status === null ? 'the model could not be reached' : `the model answered ${status}`;

/** @param {{ tools: string[], agents: string[], skills: string[] } | undefined} told */
function policy(told) {
  if (!told) return [];
  const named = /** @type {const} */ (['tools', 'agents', 'skills'])
    .filter((kind) => told[kind]?.length > 0)
    .map((kind) => `${kind} ${told[kind].join(', ')}`);
  return [detail(named.join(' · ') || 'no tools')];
}
