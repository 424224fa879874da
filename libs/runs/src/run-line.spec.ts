import { RunLine } from './run-line.js';

const never = new AbortController().signal;
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the waiting line', () => {
  afterEach(() => jest.useRealTimers());

  /** Fills the only place and queues these keys; returns the order in which they get it. */
  async function orderOf(keys: string[]): Promise<string[]> {
    const line = new RunLine(1);
    let leave = await line.enter('first', never);
    const order: string[] = [];
    const all = keys.map(async (key) => {
      const mine = await line.enter(key, never);
      order.push(key);
      leave = mine;
    });
    for (let left = keys.length; left > 0; left -= 1) {
      leave();
      await settle();
    }
    await Promise.all(all);
    return order;
  }

  it('serves the keys in turn, whatever the number of their requests', async () => {
    expect(await orderOf(['a', 'a', 'a', 'a', 'b', 'c', 'b'])).toEqual(['a', 'b', 'c', 'a', 'b', 'a', 'a']);
  });

  it('lets in next who has the fewest at work', async () => {
    const line = new RunLine(2);
    const leaves = [await line.enter('a', never), await line.enter('b', never)];
    const order: string[] = [];
    const enter = async (key: string) => {
      leaves.push(await line.enter(key, never));
      order.push(key);
    };
    const both = Promise.all(['a', 'b'].map(enter));
    leaves[1]!();
    await settle();
    expect(order).toEqual(['b']);
    leaves[0]!();
    await both;
    expect(order).toEqual(['b', 'a']);
  });

  it('never lets more in than it has places, and gives every place back once', async () => {
    const line = new RunLine(3);
    let working = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const leave = await line.enter(`key${index % 4}`, never);
        most = Math.max(most, (working += 1));
        await settle();
        working -= 1;
        leave();
        leave();
      }),
    );
    expect(most).toBe(3);
    const again = await Promise.all([line.enter('x', never), line.enter('x', never), line.enter('x', never)]);
    expect(again).toHaveLength(3);
  });

  it('refuses at once when ten wait for each place', async () => {
    jest.useFakeTimers();
    const line = new RunLine(1);
    await line.enter('a', never);
    for (let index = 0; index < 10; index += 1) void line.enter('a', never);
    await expect(line.enter('a', never)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 5 });
  });

  it('has room for every key, however many requests one key has in it', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const line = new RunLine(1);
    const leave = await line.enter('greedy', never);
    const refused: string[] = [];
    const enter = (key: string) => line.enter(key, never).catch(() => void refused.push(key));
    for (const key of [...Array<string>(10).fill('greedy'), 'b', 'b', 'c']) void enter(key);
    await settle();
    expect(refused).toEqual(['greedy', 'greedy', 'greedy']);
    // Nobody is sent away for a key that would then have as many as the one it pushed out.
    const before = refused.length;
    for (let index = 0; index < 6; index += 1) void enter('b');
    await settle();
    expect(refused.slice(before).sort()).toEqual(['b', 'b', 'b', 'b', 'greedy', 'greedy']);
    leave();
  });

  it('gives up after 30 s, and the place then goes to the next one', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const line = new RunLine(1);
    const leave = await line.enter('a', never);
    const late = line.enter('b', never);
    const refused = expect(late).rejects.toMatchObject({ code: 'overloaded', status: 503 });
    jest.advanceTimersByTime(30_000);
    await refused;
    const next = line.enter('c', never);
    leave();
    await expect(next).resolves.toBeInstanceOf(Function);
  });

  it('lets a caller who goes away leave the line', async () => {
    const line = new RunLine(1);
    const leave = await line.enter('a', never);
    const gone = new AbortController();
    const waiting = line.enter('b', gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    leave();
    await expect(line.enter('c', never)).resolves.toBeInstanceOf(Function);
  });
});
