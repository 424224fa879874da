import pg from 'pg';

/** A single connection beside the pool. Gives up after 3 s; a loss later shows as its `end` event, never as a crash. */
export async function connect(url: string, applicationName = 'claude-api'): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: 3_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Closes politely; a server that does not answer within a second is left without a word. */
export async function disconnect(client: pg.Client): Promise<void> {
  const impatience = setTimeout(() => client.connection.stream.destroy(), 1_000);
  await client.end().catch(() => undefined);
  clearTimeout(impatience);
}
