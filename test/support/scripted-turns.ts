import type { ScriptedAnswer, UpstreamRequest } from './model-stand-in.js';

/** What marks the prompt of a subagent in a script. */
export const SUBTASK = 'SUBTASK';

/**
 * A model that takes its turns in order, the task's own and its subagents'. The turn is told by how much was
 * already said in the request, so that any number of tasks may be at it at once.
 */
export function turns(main: ScriptedAnswer[], sub: ScriptedAnswer[] = []) {
  return ({ body }: UpstreamRequest): ScriptedAnswer => {
    const isSub = JSON.stringify(body.messages[0]).includes(SUBTASK);
    const turn = body.messages.filter(({ role }: { role: string }) => role === 'assistant').length;
    return (isSub ? sub : main)[turn] ?? { text: 'nothing more' };
  };
}

/** A turn that calls one tool. */
export const uses = (name: string, input: Record<string, unknown>): ScriptedAnswer => ({
  tools: [{ name, input }],
});

/** A turn that sends a subagent. */
export const sends = (agent: string): ScriptedAnswer =>
  uses('Agent', { description: 'look closely', prompt: `${SUBTASK} look`, subagent_type: agent });

/** Several tasks at once, each with turns of its own: told by the name that its description begins with. */
export function plays(parts: Record<string, ScriptedAnswer[]>) {
  const scripts = Object.entries(parts).map(([name, main]) => ({ name, script: turns(main) }));
  return (request: UpstreamRequest): ScriptedAnswer => {
    const said = JSON.stringify(request.body.messages[0]);
    return scripts.find(({ name }) => said.includes(`${name}:`))?.script(request) ?? { text: 'no part' };
  };
}
