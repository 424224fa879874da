// One way to have a prompt answered, in a process of its own: what it costs is told from its process tree, and what
// measures it does not slow it. Started by caller.ts.
const [way, settings] = process.argv.slice(2);
const { open } = await import(`./${way}.mjs`);
const caller = await open(JSON.parse(settings));

/** Each client makes one call, and goes on for as long as it is told. `rest`: what is due between two calls counts. */
async function slice({ clients, ms, rest }) {
  const samples = [];
  const startedAt = performance.now();
  const each = async (_, client) => {
    do {
      samples.push(await timed(client));
      if (rest) await caller.rest?.(client);
    } while (performance.now() - startedAt < ms);
  };
  await Promise.all(Array.from({ length: clients }, each));
  const seconds = (performance.now() - startedAt) / 1000;
  if (!rest) await Promise.all(Array.from({ length: clients }, (_, client) => caller.rest?.(client)));
  return { samples, seconds };
}

/** Milliseconds to the end of the answer, and to its first word where the way tells it as it comes. */
async function timed(client) {
  const startedAt = performance.now();
  let first = null;
  await caller.call(client, () => (first ??= performance.now() - startedAt));
  return [performance.now() - startedAt, first];
}

const ORDERS = {
  prepare: ({ clients }) => caller.prepare?.(clients),
  slice,
  told: () => caller.told(),
};

process.on('message', async ({ order, ...details }) => {
  try {
    process.send({ result: (await ORDERS[order](details)) ?? null });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
// Its benchmark has ended, however.
process.on('disconnect', () => caller.close?.());
process.send({ result: 'ready' });
