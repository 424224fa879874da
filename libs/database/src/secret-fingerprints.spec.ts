import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database.js';
import { requireSameSecrets } from './secret-fingerprints.js';

describe('the secrets of an installation', () => {
  const secrets = { keyPepper: 'pepper '.repeat(6), auditKey: 'audit '.repeat(6) };
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('are those of the first process that asked, also when several ask at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => requireSameSecrets(database.url, secrets)));
    await expect(requireSameSecrets(database.url, secrets)).resolves.toBeUndefined();
  });

  it.each([
    ['KEY_PEPPER', { ...secrets, keyPepper: 'another '.repeat(6) }],
    ['AUDIT_KEY', { ...secrets, auditKey: 'another '.repeat(6) }],
  ])('are named when they differ: %s', async (name, others) => {
    await expect(requireSameSecrets(database.url, others)).rejects.toThrow(
      new RegExp(`^${name} is not the one that this database was made with`),
    );
  });
});
