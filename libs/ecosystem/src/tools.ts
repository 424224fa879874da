/** One built-in tool of the CLI. `network`: it is of no use without the internet. */
export interface Tool {
  name: string;
  network: boolean;
}

const local = (name: string): Tool => ({ name, network: false });

/** The tools that a task may name, and no others: what is not in this list reaches no run. */
export const TOOLS: readonly Tool[] = [
  ...['Read', 'Grep', 'Glob', 'Write', 'Edit', 'NotebookEdit', 'Bash', 'TodoWrite'].map(local),
  { name: 'WebFetch', network: true },
  { name: 'WebSearch', network: true },
];

/** Tools that come with another list of the request and are never named themselves. */
export const TOOLS_THAT_FOLLOW: Readonly<Record<string, 'allow_agents' | 'allow_skills'>> = {
  Agent: 'allow_agents',
  Task: 'allow_agents',
  Skill: 'allow_skills',
};
