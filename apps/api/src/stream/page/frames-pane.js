import { byId, element, growing } from './element.js';

const KEPT = 1_000;
const ARROWS = { in: '←', out: '→', note: '·' };
const SPOKEN = { in: 'received', out: 'sent', note: 'note' };

/** The last thousand frames of both directions, as they went over the wire. */
export class FramesPane {
  #list = byId('frames');
  #count = byId('frame-count');
  #seen = 0;
  /** @type {string[]} */
  #lines = [];

  constructor() {
    byId('copy-frames').addEventListener('click', ({ currentTarget }) =>
      this.#copy(/** @type {HTMLButtonElement} */ (currentTarget)),
    );
    byId('clear-frames').addEventListener('click', () => this.#clear());
    this.#clear();
  }

  /**
   * @param {'in' | 'out' | 'note'} direction
   * @param {string} text
   */
  add(direction, text) {
    const at = new Date().toISOString().slice(11, 23);
    this.#seen += 1;
    this.#lines.push(`${at} ${ARROWS[direction]} ${text}`);
    const arrow = element('span', { className: 'arrow', title: SPOKEN[direction] }, ARROWS[direction]);
    const row = element(
      'li',
      { className: direction },
      element('time', {}, at),
      arrow,
      element('code', {}, text),
    );
    growing(this.#list, () => {
      this.#list.append(row);
      if (this.#lines.length > KEPT) {
        this.#lines.shift();
        this.#list.firstElementChild?.remove();
      }
    });
    this.#tellCount();
  }

  #tellCount() {
    const { length } = this.#lines;
    this.#count.textContent = this.#seen > length ? `the last ${length} of ${this.#seen}` : `${length}`;
  }

  /** @param {HTMLButtonElement} button */
  async #copy(button) {
    const told = await navigator.clipboard?.writeText(this.#lines.join('\n')).then(
      () => 'Copied',
      () => undefined,
    );
    // Without the right to the clipboard (plain HTTP, for one) the reader presses Ctrl C.
    if (!told) getSelection()?.selectAllChildren(this.#list);
    button.textContent = told ?? 'Selected';
    setTimeout(() => (button.textContent = 'Copy'), 1_500);
  }

  #clear() {
    this.#seen = 0;
    this.#lines = [];
    this.#list.replaceChildren();
    this.#tellCount();
  }
}
