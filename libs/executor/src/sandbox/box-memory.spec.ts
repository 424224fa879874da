import { processesIn } from './box-memory.js';

describe('the processes of a box', () => {
  it('are none while its root is still the host’s: those of the host never count as its own', () => {
    expect(processesIn(`/proc/${process.pid}/root`)).toEqual([]);
  });
});
