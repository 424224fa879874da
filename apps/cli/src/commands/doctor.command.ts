import { Command } from 'nest-commander';
import type { Finding } from '../doctor/finding.js';
import { type Answer, VerbCommand } from '../verb.command.js';

@Command({ name: 'doctor', description: 'check every part, and say what to do about each that is not right' })
export class DoctorCommand extends VerbCommand {
  protected async answer(): Promise<Answer> {
    const { diagnose } = await import('../doctor/diagnosis.js');
    const checks = await diagnose();
    const failed = checks.some(({ status }) => status === 'fail');
    return { json: { ok: !failed, checks }, text: checks.map(line).join('\n'), failed };
  }
}

function line({ status, check, detail, fix }: Finding): string {
  return `${status.padEnd(4)}  ${check.padEnd(10)}  ${detail}${fix ? `\n${' '.repeat(18)}-> ${fix}` : ''}`;
}
