/** Whether the server has begun to shut down: from then on it takes no new work and `/ready` answers 503. */
export class Draining {
  hasBegun = false;
}
