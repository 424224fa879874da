import { AuditProcess } from '../../../../test/support/audit-process.js';
import { OPERATOR_PROJECT, type Principal } from '@app/common';
import { AUDIT_KEY } from '../../../../test/support/audit-process.js';
import { ChainKey } from '../chain/audit-record.js';
import { type Checkpoint, CheckpointKey } from '../chain/checkpoint.js';
import { Checkpoints } from '../chain/checkpoints.service.js';
import { AuditExport } from './audit-export.service.js';
import { checkExport } from './export-check.js';

const signing = new CheckpointKey(AUDIT_KEY);
const OWNER = { mac: new ChainKey(AUDIT_KEY), checkpoints: signing.public };
const OUTSIDER = { checkpoints: signing.public };
const caller = (project: string) => ({ kind: 'key', project, keyId: 'key_admin' }) as Principal;

describe('an export of the audit', () => {
  let here: AuditProcess;
  let file: string[];
  /** What a copy of the log holds. */
  let anchor: Checkpoint;

  beforeAll(async () => {
    here = await AuditProcess.start();
    await here.append(3);
    await here.append(3, { project: 'other', diff: { note: '=1+1, "x"' } });
    anchor = (await here.app.get(Checkpoints).sign('my-app'))!;
    await here.append(2);
    file = (await exported(caller(OPERATOR_PROJECT))).trimEnd().split('\n');
  });
  afterAll(() => here.stop());

  async function exported(by: Principal, project?: string, format: 'jsonl' | 'csv' = 'jsonl') {
    let text = '';
    for await (const piece of await here.app.get(AuditExport).start(by, { project, format })) text += piece;
    return text;
  }
  async function* linesOf(lines: string[]) {
    yield* lines;
  }
  const check = (
    lines: string[],
    keys: Parameters<typeof checkExport>[1] = OWNER,
    anchors: Checkpoint[] = [],
  ) => checkExport(linesOf(lines), keys, anchors);
  const find = (text: string) => file.findIndex((line) => line.includes(text));

  it.each([
    ['whoever has the AUDIT_KEY', OWNER],
    ['an outsider with the public key', OUTSIDER],
  ])('is verified by %s, its own event included', async (_, keys) => {
    expect(await check(file, keys, [anchor])).toMatchObject({
      ok: true,
      chains: [
        { project: 'my-app', events: 5, signed: { seq: 5 } },
        { project: OPERATOR_PROJECT, events: 1, signed: { seq: 1 } },
        { project: 'other', events: 3, signed: { seq: 3 } },
      ],
    });
  });

  it('shows an edited event to the owner exactly, to an outsider between two checkpoints', async () => {
    const edited = [...file];
    const place = find('"seq":5,"at"');
    edited[place] = edited[place]!.replace('"outcome":"ok"', '"outcome":"denied"');
    expect((await check(edited)).chains[0]).toMatchObject({ ok: false, fault: { seq: 5, flaw: 'edited' } });
    expect((await check(edited, OUTSIDER)).chains[0]).toMatchObject({
      fault: { seq: 5, flaw: 'not_as_signed', after: 3 },
    });
  });

  const without = (...places: number[]) => file.filter((_, place) => !places.includes(place));

  it.each([
    ['a removed event', () => without(find('"seq":2,"at"')), { seq: 2, flaw: 'missing' }],
    [
      'an event twice',
      () => file.toSpliced(find('"seq":2,"at"'), 0, file[find('"seq":2,"at"')]!),
      { seq: 2, flaw: 'inserted' },
    ],
    [
      'swapped events',
      () => swapped(find('"seq":2,"at"'), find('"seq":3,"at"')),
      { seq: 2, flaw: 'missing' },
    ],
    [
      'an event of another project',
      () => file.toSpliced(find('"seq":2,"at"'), 1, file[find('"project":"other","seq":2,"at"')]!),
      { seq: 2, flaw: 'inserted' },
    ],
    ['an end without its checkpoint', () => cut(5), { seq: 4, flaw: 'unsigned' }],
  ])('shows %s, to everybody', async (_, spoil, fault) => {
    for (const keys of [OWNER, OUTSIDER]) {
      expect((await check(spoil(), keys)).chains[0]).toMatchObject({ ok: false, fault });
    }
  });

  /** The chain of my-app up to event `last`, without the checkpoint at its end, all counts put right. */
  function cut(last: number): string[] {
    const lines = file.filter((line) => {
      const { kind, project, seq } = JSON.parse(line);
      if (project !== 'my-app') return true;
      return kind === 'event' ? seq <= last : kind !== 'checkpoint' || seq < 4;
    });
    const { mac } = JSON.parse(file[find(`"seq":${last},"at"`)]!);
    const events = lines.filter((line) => line.includes('"kind":"event"')).length;
    return lines.map((line) => {
      const said = JSON.parse(line);
      if (said.kind === 'chain' && said.project === 'my-app') said.head = { seq: last, mac };
      if (said.kind === 'end') said.events = events;
      return JSON.stringify(said);
    });
  }
  function swapped(a: number, b: number): string[] {
    return file.with(a, file[b]!).with(b, file[a]!);
  }

  it('shows an end that was cut off with all its checkpoints, by an anchor from elsewhere', async () => {
    const later = (await here.app.get(Checkpoints).sign('my-app'))!;
    expect((await check(cut(3))).ok).toBe(true);
    expect((await check(cut(3), OUTSIDER, [later])).chains[0]).toMatchObject({
      fault: { seq: 4, flaw: 'cut_off' },
    });
  });

  it('shows a whole chain that is gone, by an anchor', async () => {
    const lines = file.filter((line) => !line.includes('"project":"my-app"'));
    const gone = (await check(lines, OWNER, [anchor])).chains.at(-1);
    expect(gone).toMatchObject({ project: 'my-app', ok: false, fault: { seq: 1, flaw: 'missing' } });
  });

  it('says when the file is cut off, and when it is no export', async () => {
    expect(await check(file.slice(0, -1))).toMatchObject({
      ok: false,
      problem: expect.stringContaining('cut off'),
    });
    expect(await check(without(find('"project":"other","seq":1,"at"') + 2))).toMatchObject({ ok: false });
    for (const lines of [
      [],
      ['{}'],
      ['null'],
      ['nonsense'],
      [...file, '{}'],
      [file[0]!, '{"kind":"event"}'],
      ['{"kind":"export","version":2}'],
      [file[0]!, file[1]!, '{"kind":"event","project":7}'],
    ]) {
      await expect(check(lines)).rejects.toThrow(/^(it|its line|something|a line)/);
    }
  });

  it('holds one project for whoever manages one, and does not know the others', async () => {
    const own = await exported(caller('my-app'));
    expect(own).not.toContain('"project":"other"');
    expect((await check(own.trimEnd().split('\n'))).chains).toMatchObject([{ project: 'my-app', ok: true }]);
    for (const [by, project] of [
      [caller('my-app'), 'other'],
      [caller('my-app'), 'nobody'],
      [caller(OPERATOR_PROJECT), 'nobody'],
    ] as const) {
      await expect(exported(by, project)).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  it('is a table for a spreadsheet too, in which no text is a formula', async () => {
    await here.append(1, {
      project: 'sheet',
      target: { kind: 'key', id: '=HYPERLINK("x")' },
      diff: { a: 'b,c' },
    });
    const [head, row] = (await exported(caller('sheet'), undefined, 'csv')).split('\r\n');
    expect(head).toContain('project,seq,at,type');
    expect(row).toMatch(
      /^sheet,1,.+,key\.created,operator,terminal,key,"'=HYPERLINK\(""x""\)",ok,,"{""a"":""b,c""}"$/,
    );
  });
});
