import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { taskRequest } from './task-request.js';

describe('the request for a task', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'task-request-'));
    await writeFile(join(folder, 'text.txt'), 'grüße\n');
    await writeFile(join(folder, 'bytes'), Buffer.from([0xff, 0x00, 0x41]));
    await writeFile(join(folder, 'nul'), 'a\0b');
    await writeFile(join(folder, 'schema.json'), '{"type": "object"}');
    await writeFile(join(folder, 'list.json'), '[]');
  });
  afterAll(() => rm(folder, { recursive: true }));

  const files = async (...paths: string[]) => ((await taskRequest('x', { file: paths })) as any).files;

  it('names a file as it lies here, and one from elsewhere by its own name', async () => {
    const elsewhere = join(folder, 'text.txt');
    const found = await files(
      'package.json',
      './test/fixtures/attack.py',
      elsewhere,
      relative('.', elsewhere),
    );
    expect(found.map(({ path }: any) => path)).toEqual([
      'package.json',
      'test/fixtures/attack.py',
      'text.txt',
      'text.txt',
    ]);
    expect(found[2]).toEqual({ path: 'text.txt', content: 'grüße\n' });
  });

  it('carries what is not text as base64', async () => {
    expect(await files(join(folder, 'bytes'), join(folder, 'nul'))).toEqual([
      { path: 'bytes', content: '/wBB', encoding: 'base64' },
      { path: 'nul', content: 'YQBi', encoding: 'base64' },
    ]);
  });

  it('asks for no names with "none", and leaves out what was not given', async () => {
    const request = await taskRequest('x', { allowTool: ['none'], allowAgent: ['a', 'b'] });
    expect(JSON.parse(JSON.stringify(request))).toEqual({
      description: 'x',
      allow_tools: [],
      allow_agents: ['a', 'b'],
    });
  });

  it('takes a schema from a file, if it is an object', async () => {
    const schema = (name: string) => taskRequest('x', { outputSchema: join(folder, name) });
    expect(await schema('schema.json')).toMatchObject({ output_schema: { type: 'object' } });
    await expect(schema('list.json')).rejects.toThrow('does not hold a JSON object');
    await expect(schema('text.txt')).rejects.toThrow('does not hold a JSON object');
    await expect(files(folder)).rejects.toThrow(/--file: cannot read .* \(EISDIR\)/);
  });
});
