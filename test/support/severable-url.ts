import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to the database that can be cut: to its clients it is as if Postgres had been stopped. */
export async function severableUrl(databaseUrl: string) {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let severed = false;
  const server = createServer((near) => {
    // Not destroyed: across Jest's realms pg would not know the reset for a lost connection.
    if (severed) return near.resume().end();
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from) && to.destroy());
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    sever: () => {
      severed = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      severed = false;
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
