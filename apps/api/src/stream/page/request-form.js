import { byId, element } from './element.js';

const TOOLS = [
  'Read',
  'Grep',
  'Glob',
  'Write',
  'Edit',
  'Bash',
  'NotebookEdit',
  'TodoWrite',
  'WebFetch',
  'WebSearch',
];

/** @typedef {'completion' | 'task'} Kind */

/** @type {Record<Kind, string>} */
const LABELS = { completion: 'Prompt', task: 'What to do' };

/** The form in which a request is written; each kind keeps its own text. */
export class RequestForm {
  #form = byId('request-form', HTMLFormElement);
  #text = byId('text', HTMLTextAreaElement);
  #send = byId('send', HTMLButtonElement);
  #problem = byId('send-problem');
  /** @type {Record<Kind, string>} */
  #drafts = {
    completion: 'Explain in two sentences what a mutex is.',
    task: 'Audit this project for security problems.',
  };
  /** @type {Kind} */
  #kind = 'completion';

  /** @param {(kind: Kind, fields: object) => void} onSend throws what is told to the reader */
  constructor(onSend) {
    for (const name of TOOLS) {
      const box = element('input');
      Object.assign(box, { type: 'checkbox', name: 'tool', value: name });
      byId('tool-names').append(element('label', {}, box, name));
    }
    this.#form.addEventListener('change', () => this.#adapt());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#problem.textContent = '';
      try {
        onSend(this.#kind, this.#fields());
      } catch (error) {
        this.#problem.textContent = error instanceof Error ? error.message : String(error);
      }
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (!this.#send.disabled) this.#form.requestSubmit();
    });
    // A browser that goes back to the page remembers what was chosen, not what we made of it.
    this.#text.value = this.#drafts.completion;
    this.#adapt();
  }

  /** @param {boolean} canSend */
  enable(canSend) {
    this.#send.disabled = !canSend;
    byId('connect-first').hidden = canSend;
    byId('send-keys').hidden = !canSend;
  }

  focus() {
    this.#text.focus();
  }

  /** @param {string} name */
  #chosen(name) {
    return new FormData(this.#form).get(name);
  }

  #adapt() {
    this.#drafts[this.#kind] = this.#text.value;
    this.#kind = this.#chosen('kind') === 'task' ? 'task' : 'completion';
    this.#text.value = this.#drafts[this.#kind];
    byId('text-label').textContent = LABELS[this.#kind];
    byId('task-fields').hidden = this.#kind !== 'task';
    byId('tool-names').hidden = this.#chosen('tools') !== 'these';
  }

  #fields() {
    const model = valueOf('model') || 'auto';
    if (this.#kind === 'completion') return { prompt: this.#text.value, model };
    const tools = this.#chosen('tools') === 'these' ? new FormData(this.#form).getAll('tool') : undefined;
    const cost = valueOf('max-cost');
    return {
      description: this.#text.value,
      model,
      allow_tools: tools,
      allow_agents: namesOf(valueOf('agents')),
      allow_skills: namesOf(valueOf('skills')),
      workspace: valueOf('workspace') || undefined,
      max_cost_usd: cost === '' ? undefined : Number(cost),
    };
  }
}

/** @param {string} id */
const valueOf = (id) => byId(id, HTMLInputElement).value.trim();

/**
 * Undefined = what the key has.
 * @param {string} text
 */
function namesOf(text) {
  if (text === '') return undefined;
  return text === '-' ? [] : text.split(',').map((name) => name.trim());
}
