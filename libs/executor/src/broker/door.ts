import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** At the path, or on a free port of loopback. */
export async function listen(server: Server, socketPath?: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const listening = () => resolve(server.off('error', reject));
    server.once('error', reject);
    if (socketPath) server.listen(socketPath, listening);
    else server.listen(0, '127.0.0.1', listening);
  });
}

export function doorOf(loopback: Server): { url: string } {
  return { url: `http://127.0.0.1:${(loopback.address() as AddressInfo).port}` };
}

export function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}
