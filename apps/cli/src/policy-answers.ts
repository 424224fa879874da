import { operatorPrincipal } from '@app/auth';
import { PolicyExplanation, PolicyExplanationDto, PolicyModule, type PolicyQuestion } from '@app/runs';
import { withServices } from './services-session.js';
import { fields } from './table.js';
import type { Answer } from './verb.command.js';

export function explainedPolicy(question: PolicyQuestion): Promise<Answer> {
  return withServices([PolicyModule], async (services) => {
    const answer = await services.get(PolicyExplanation).explain(operatorPrincipal(), question);
    const json = PolicyExplanationDto.from(answer);
    const refusals = json.refusals.map(({ rule, message }) => `refused by ${rule}: ${message}`);
    const notes = json.notes.map((note) => `note: ${note}`);
    const verdict = json.allowed ? 'allowed' : 'refused';
    return {
      json,
      text: [verdict, fields(json.effective_policy), ...refusals, ...notes].join('\n'),
      failed: !json.allowed,
    };
  });
}
