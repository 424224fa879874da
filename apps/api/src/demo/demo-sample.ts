import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const DEMO_PROJECT = 'demo';
/** The workspace of the demo's project that tasks can work on. */
export const SAMPLE_WORKSPACE = 'sample';

/** A small project with something to find in it. */
export const SAMPLE_FILES = [
  {
    path: 'README.md',
    content: '# Guest book\n\nA tiny web application. It is the sample of the demo: do not put it online.\n',
  },
  {
    path: 'app/login.py',
    content: [
      'import os',
      '',
      'PASSWORD = "hunter2"',
      '',
      '',
      'def greet(name):',
      '    os.system("echo Welcome " + name)',
      '',
    ].join('\n'),
  },
  { path: 'app/storage.py', content: 'def save(entry):\n    return {"entry": entry}\n' },
];

const AGENT = `---
name: security-auditor
description: Looks for secrets, injections and other weaknesses in code
tools: Read, Grep, Glob
---

You audit code for security. You report what you found, where, and how to mend it.
`;

const SKILL = `---
name: changelog
description: Writes a changelog entry in the house style
---

Write one line per change: what changed for the user, not how. Changes: $ARGUMENTS
`;

/** Writes the agent and the skill that the demo offers instead of the operator's own. */
export async function writeDemoConfig(folder: string): Promise<void> {
  await mkdir(join(folder, 'agents'), { recursive: true });
  await mkdir(join(folder, 'skills', 'changelog'), { recursive: true });
  await writeFile(join(folder, 'agents', 'security-auditor.md'), AGENT);
  await writeFile(join(folder, 'skills', 'changelog', 'SKILL.md'), SKILL);
}
