import { Connection } from './connection.js';
import { byId, element } from './element.js';
import { FramesPane } from './frames-pane.js';
import { RequestCard } from './request-card.js';
import { RequestForm } from './request-form.js';
import { Requests } from './requests.js';

/** @import { Frame, State } from './connection.js' */
/** @import { Request } from './requests.js' */

const keyField = byId('key', HTMLInputElement);
const frames = new FramesPane();
let isReady = false;
const requests = new Requests();
/** @type {Map<string, RequestCard>} */
const cards = new Map();

const url = new URL('../v1/stream', location.href);
url.protocol = url.protocol.replace('http', 'ws');
const connection = new Connection(url, {
  state: showState,
  frame: take,
  wire: (direction, text) => frames.add(direction, text),
});
const form = new RequestForm((kind, fields) => {
  const request = requests.add(kind, fields);
  try {
    connection.send(request.frame);
  } catch (error) {
    requests.forget(request);
    throw error;
  }
  const card = new RequestCard(request, () => cancel(request));
  cards.set(request.id, card);
  byId('nothing-yet').hidden = true;
  byId('cards').prepend(card.element);
  card.element.scrollIntoView({ block: 'nearest' });
});

// Until now Enter would have sent the form nowhere.
byId('connect', HTMLButtonElement).disabled = false;
byId('connect-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const key = keyField.value.trim();
  keyField.value = '';
  if (key) connection.connect(key);
});
byId('disconnect').addEventListener('click', () => {
  connection.disconnect();
  keyField.focus();
});

/**
 * @param {State} state
 * @param {string} text
 */
function showState(state, text) {
  const isOff = state === 'offline' || state === 'refused';
  isReady = state === 'ready';
  const shown = byId('state');
  shown.dataset.state = state;
  shown.textContent = text;
  byId('connect-form').hidden = !isOff;
  byId('disconnect').hidden = isOff;
  form.enable(isReady);
  if (isReady) return goOn();
  if (state === 'refused') keyField.focus();
  if (state !== 'connecting') interrupt();
}

/** @param {Frame} frame */
function take(frame) {
  const request = requests.take(frame);
  if (!request) {
    if (frame.type === 'error' && isReady) byId('send-problem').textContent = frame.error.message;
    return;
  }
  cards.get(request.id)?.show(frame);
  if (request.ended)
    byId('news').append(
      element('p', {}, `${request.id}: ${frame.status ?? frame.finish_reason ?? frame.type}`),
    );
}

/** @param {Request} request */
function cancel({ id }) {
  connection.send({ type: 'cancel', id });
  cards.get(id)?.cancelling();
}

/** Tells what becomes of the requests now that the connection is gone. */
function interrupt() {
  for (const request of requests.open()) {
    const isOver = request.kind === 'completion';
    request.ended = isOver;
    cards.get(request.id)?.disconnected(isOver ? 'lost' : 'waiting');
  }
}

/** Picks up the tasks that were under way. */
function goOn() {
  if (document.activeElement === document.body || document.activeElement === keyField) form.focus();
  for (const request of requests.open()) {
    const frame = Requests.continuation(request);
    if (!frame) continue;
    connection.send(frame);
    cards.get(request.id)?.resumed(request.seq);
  }
}
