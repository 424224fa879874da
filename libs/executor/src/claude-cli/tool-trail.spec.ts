import type { Decide } from '../tool-decision.js';
import { ToolTrail } from './tool-trail.js';

const decide: Decide = ({ tool, input }) =>
  tool === 'Read' || input.subagent_type === 'auditor'
    ? { allowed: true }
    : { allowed: false, item: `tool:${tool}`, rule: 'tier:free', message: 'no' };
const read = { tool: 'Read', input: { file_path: 'a.txt' } };

describe('the trail of tool calls', () => {
  it('tells a call once, whether the message or the question comes first, and in whatever spelling', () => {
    const trail = new ToolTrail(decide);
    trail.call('t1', read);
    expect(trail.call('t1', { tool: 'Read', input: { file_path: '/workspace/a.txt' } }).allowed).toBe(true);
    expect(trail.take()).toEqual([
      { toolUseId: 't1', type: 'tool_call', tool: 'Read', arguments: { file_path: 'a.txt' } },
    ]);
    expect(trail.take()).toEqual([]);
  });

  it('decides anew when an id is used again for another tool or agent, and tells it', () => {
    const trail = new ToolTrail(decide);
    trail.call('t1', read);
    expect(trail.call('t1', { tool: 'Bash', input: { command: 'id' } }).allowed).toBe(false);
    expect(trail.call('t2', { tool: 'Agent', input: { subagent_type: 'auditor' } }).allowed).toBe(true);
    expect(trail.call('t2', { tool: 'Agent', input: { subagent_type: 'general-purpose' } }).allowed).toBe(
      false,
    );
    expect(trail.take().map(({ type }) => type)).toEqual([
      'tool_call',
      'permission_denied',
      'agent_spawn',
      'permission_denied',
    ]);
  });

  it('names the subagent of a call by its name or by the call that started it', () => {
    const trail = new ToolTrail(decide);
    trail.call('spawn', { tool: 'Agent', input: { subagent_type: 'auditor', description: 'look' } });
    trail.call('a', read, 'spawn');
    trail.call('b', read, 'auditor');
    expect(trail.take().map(({ agent }) => agent)).toEqual([undefined, 'auditor', 'auditor']);
  });

  it('tells no result of a call that it has not seen, and one refusal of the CLI at most', () => {
    const trail = new ToolTrail(decide);
    trail.result('unknown', false, 'text');
    trail.call('t1', { tool: 'Bash', input: {} });
    trail.refusedByCli('t1', 'Bash', 'not allowed');
    expect(trail.take().map(({ type }) => type)).toEqual(['permission_denied']);
  });

  it('cuts a long result and says so', () => {
    const trail = new ToolTrail(decide);
    trail.call('t1', read);
    trail.result('t1', false, [{ type: 'text', text: 'x'.repeat(20_000) }, { type: 'image' }]);
    const [, result] = trail.take();
    expect(result).toMatchObject({ type: 'tool_result', status: 'ok' });
    expect((result as { result: string }).result).toMatch(/^x{16384}\n… \(3624 more characters\)$/);
  });
});
