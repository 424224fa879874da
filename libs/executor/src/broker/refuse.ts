import type { ServerResponse } from 'node:http';

/** An error as the model's API words it: that is what the CLI understands. */
export function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ type: 'error', error: { type, message } }));
}
