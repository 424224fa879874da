import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './catalogue.js';

const MEBIBYTE = 1024 * 1024;
/** Of the whole folder, so that looking at it is a matter of a second or two whatever it holds. */
const MOST_SEEN = 20_000;
const MOST_OF_A_KIND = 500;
const MOST_BYTES_OF_ALL_SKILLS = 256 * MEBIBYTE;
const OF_ONE_SKILL = { files: 200, bytes: 10 * MEBIBYTE, depth: 8 };

/** `path` is relative to the folder, with `/`. */
export interface SeenFile {
  path: string;
  size: number;
  executable: boolean;
}

export interface SeenSkill {
  name: string;
  files: SeenFile[];
}

/** What lies in the operator's folder, before any of it is read. Equal fingerprints: nothing has changed. */
export interface Seen {
  agents: SeenFile[];
  skills: SeenSkill[];
  findings: Finding[];
  fingerprint: string;
}

/** Looks at `agents` and `skills` of the folder. Never follows a link, opens nothing, and never throws. */
export async function lookAt(root: string): Promise<Seen> {
  const look = new Look(root);
  const agents = await look.agents();
  const skills = await look.skills();
  return { agents, skills, findings: look.findings, fingerprint: look.fingerprint() };
}

interface Node extends SeenFile {
  name: string;
  kind: 'file' | 'folder' | 'link' | 'other';
}

class Look {
  readonly findings: Finding[] = [];
  private readonly hash = createHash('sha256');
  private seen = 0;
  private skillBytes = 0;

  constructor(private readonly root: string) {}

  fingerprint(): string {
    return this.hash.digest('hex');
  }

  async agents(): Promise<SeenFile[]> {
    const found: SeenFile[] = [];
    for (const node of await this.top('agents')) {
      if (node.kind === 'folder') {
        for (const inner of await this.list(node.path)) this.addAgent(inner, found);
      } else this.addAgent(node, found);
    }
    return this.atMost(found, 'agents');
  }

  private addAgent(node: Node, found: SeenFile[]): void {
    if (node.kind === 'file' && node.name.endsWith('.md')) found.push(node);
    else if (node.kind === 'link' || node.name.endsWith('.md')) this.leaveOut(node);
  }

  async skills(): Promise<SeenSkill[]> {
    const found: SeenSkill[] = [];
    const folders: Node[] = [];
    for (const node of await this.top('skills')) {
      if (node.kind === 'folder') folders.push(node);
      else if (node.kind !== 'file') this.leaveOut(node);
    }
    for (const { name, path } of this.atMost(folders, 'skills')) {
      const files: SeenFile[] = [];
      const problem = (await this.walk(path, 1, files)) ?? this.problemOfSkill(path, files);
      if (problem) this.findings.push({ path, problem });
      else found.push({ name, files });
    }
    return found;
  }

  /** Collects the regular files below a folder; says what is wrong once there are too many. */
  private async walk(folder: string, depth: number, files: SeenFile[]): Promise<string | undefined> {
    if (depth > OF_ONE_SKILL.depth) return `has folders more than ${OF_ONE_SKILL.depth} deep`;
    for (const node of await this.list(folder)) {
      if (node.kind === 'folder') {
        const problem = await this.walk(node.path, depth + 1, files);
        if (problem) return problem;
      } else if (node.kind === 'file') files.push(node);
      else this.leaveOut(node);
      if (files.length > OF_ONE_SKILL.files) return `has more than ${OF_ONE_SKILL.files} files`;
    }
    return undefined;
  }

  private problemOfSkill(path: string, files: SeenFile[]): string | undefined {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (bytes > OF_ONE_SKILL.bytes) return `has more than ${OF_ONE_SKILL.bytes} bytes`;
    if (!files.some((file) => file.path === `${path}/SKILL.md`))
      return 'has no SKILL.md that is a regular file';
    this.skillBytes += bytes;
    return this.skillBytes > MOST_BYTES_OF_ALL_SKILLS
      ? `is one skill too many: together they have more than ${MOST_BYTES_OF_ALL_SKILLS} bytes`
      : undefined;
  }

  private async top(name: string): Promise<Node[]> {
    const node = await this.node(name, name);
    if (node && node.kind !== 'folder') this.leaveOut(node);
    return node?.kind === 'folder' ? this.list(name) : [];
  }

  /** What lies in a folder, by name, without what is hidden; nothing when it cannot be read. */
  private async list(folder: string): Promise<Node[]> {
    const names = await readdir(join(this.root, folder)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT')
        this.findings.push({ path: folder, problem: `cannot be read (${error.code})` });
      return [];
    });
    const nodes: Node[] = [];
    for (const name of names.filter((candidate) => !candidate.startsWith('.')).toSorted()) {
      if (++this.seen > MOST_SEEN) {
        if (this.seen === MOST_SEEN + 1)
          this.findings.push({
            path: folder,
            problem: `is where the rest is left out, after ${MOST_SEEN} files`,
          });
        break;
      }
      const node = await this.node(`${folder}/${name}`, name);
      if (node) nodes.push(node);
    }
    return nodes;
  }

  private async node(path: string, name: string): Promise<Node | undefined> {
    const found = await lstat(join(this.root, path)).catch(() => undefined);
    if (!found) return undefined;
    this.hash.update(`${path}\0${found.mode} ${found.size} ${found.mtimeMs} ${found.ino}\n`);
    const kind = found.isFile()
      ? 'file'
      : found.isDirectory()
        ? 'folder'
        : found.isSymbolicLink()
          ? 'link'
          : 'other';
    return { path, name, kind, size: found.size, executable: (found.mode & 0o100) !== 0 };
  }

  private leaveOut({ path, kind }: Node): void {
    this.findings.push({ path, problem: kind === 'link' ? 'is a link' : 'is not a regular file or folder' });
  }

  private atMost<T>(found: T[], path: string): T[] {
    if (found.length > MOST_OF_A_KIND)
      this.findings.push({ path, problem: `has more than ${MOST_OF_A_KIND} of them: the rest is left out` });
    return found.slice(0, MOST_OF_A_KIND);
  }
}
