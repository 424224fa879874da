/** The part of a model request that the script goes by, as aimock shows it. */
interface Asked {
  messages: { role: string; content: string | null | { text?: string }[] }[];
  tools?: { function: { name: string } }[];
}

interface Turn {
  content: string;
  toolCalls?: { name: string; arguments: string }[];
}

/** Stands in the prompt that the script gives its subagent, by which it knows the subagent's turns. */
const AUDIT = 'Audit this file for secrets and injections';
const REPORT = 'SECURITY-REPORT.md';
const SUSPECTS = 'PASSWORD|SECRET|eval\\(|os\\.system';

const uses = (name: string, input: object, content = ''): Turn => ({
  content,
  toolCalls: [{ name, arguments: JSON.stringify(input) }],
});

/** What the scripted model does with a task: a small audit, with those tools that the task really has. */
export function demoTaskTurn(asked: Asked): Turn {
  const turn = asked.messages.filter(({ role }) => role === 'assistant').length;
  const file = suspectOf(asked);
  const steps = isSubagent(asked) ? auditorSteps(file) : taskSteps(file, namesOf(asked));
  return steps[turn] ?? { content: 'The demo has nothing more to say.' };
}

function taskSteps(file: string | undefined, tools: Set<string>): Turn[] {
  const steps: [string, Turn][] = [
    ['Grep', uses('Grep', { pattern: SUSPECTS, glob: '*.py' }, 'First I look for the usual suspects.')],
    ['Read', uses('Read', { file_path: file ?? 'README.md' })],
    [
      'Bash',
      uses('Bash', { command: `rm -f ${REPORT}; find . -type f | sort | xargs wc -l` }, 'How big is it?'),
    ],
    [
      'Agent',
      uses('Agent', {
        description: 'audit what was found',
        prompt: `${AUDIT}: ${file ?? 'README.md'}`,
        subagent_type: 'security-auditor',
      }),
    ],
    ['Write', uses('Write', { file_path: REPORT, content: reportOn(file) }, 'I write it down.')],
  ];
  const last = { content: lastWord(file, tools.has('Write')) };
  return [...steps.filter(([tool]) => tools.has(tool)).map(([, step]) => step), last];
}

const auditorSteps = (file: string | undefined): Turn[] => [
  uses('Read', { file_path: file ?? 'README.md' }),
  { content: 'A password stands in the source, and a command is built from what a user typed.' },
];

function lastWord(file: string | undefined, hasReport: boolean): string {
  const found = file ? `There is something to mend in ${file}.` : 'There is nothing suspicious here.';
  const where = hasReport ? ` The details are in ${REPORT}.` : '';
  return `${found}${where}\n\nThis is a demo: a scripted model decided what to do, the real Claude Code CLI really did it.`;
}

function reportOn(file: string | undefined): string {
  return `# Security report (demo)\n\n${file ? `- ${file}: a secret or a dangerous call, see there.` : 'Nothing was found.'}\n`;
}

/** The first file that Grep named. */
function suspectOf({ messages }: Asked): string | undefined {
  const results = messages.filter(({ role }) => role === 'tool' || role === 'user').map(textOf);
  for (const text of results) {
    const file = new RegExp(`${AUDIT}: (\\S+)`).exec(text)?.[1] ?? /Found \d+ files?\n(\S+)/.exec(text)?.[1];
    if (file) return file;
  }
  return undefined;
}

function isSubagent({ messages }: Asked): boolean {
  const first = messages.find(({ role }) => role === 'user');
  return first !== undefined && textOf(first).includes(AUDIT);
}

function namesOf({ tools }: Asked): Set<string> {
  return new Set(tools?.map((tool) => tool.function.name));
}

function textOf({ content }: Asked['messages'][number]): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text }) => text ?? '').join('\n');
}
