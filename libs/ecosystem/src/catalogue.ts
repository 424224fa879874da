/** What the operator offers to tasks: agents and skills by name, vetted, and what was wrong with the others. */
export interface Catalogue {
  agents: ReadonlyMap<string, AgentEntry>;
  skills: ReadonlyMap<string, SkillEntry>;
  findings: readonly Finding[];
}

interface Entry {
  name: string;
  description: string;
  /** What its file asked for and does not get. */
  stripped: string[];
}

export interface AgentEntry extends Entry {
  prompt: string;
  /** Left out = those of the run. */
  tools?: string[];
  /** Tools that it does without. */
  withoutTools: string[];
  /** As the file says: a family, a full id or `inherit`. */
  model?: string;
}

export interface SkillEntry extends Entry {
  /** A vetted copy: regular files only, SKILL.md rewritten. */
  dir: string;
}

/** Something of the folder that is not offered as it stands. `path` is relative to the folder. */
export interface Finding {
  path: string;
  problem: string;
}
