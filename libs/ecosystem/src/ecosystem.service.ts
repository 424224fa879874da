import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { readAgent } from './agent-file.js';
import type { AgentEntry, Catalogue, Finding, SkillEntry } from './catalogue.js';
import { lookAt, type Seen, type SeenFile, type SeenSkill } from './config-folder.js';
import { readRegularFile, readText } from './regular-file.js';
import { readSkill } from './skill-file.js';
import { type SkillFile, SkillStore } from './skill-store.js';
import { problemOf } from './unfit.js';

const LOOK_EVERY_MS = 2000;
const MOST_BYTES_OF_A_TEXT = 1024 * 1024;
const MOST_LOGGED = 50;

interface Loaded {
  fingerprint: string;
  catalogue: Catalogue;
}

/**
 * The agents and skills of the operator's Claude Code folder, vetted: a bad file costs itself and is named in
 * `findings`, and nothing that a file says can widen what a run may do. A change of the folder is seen within
 * two seconds of use; unused, it costs nothing.
 */
@Injectable()
export class Ecosystem implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(Ecosystem.name);
  private loaded: Promise<Loaded> | undefined;
  private lookedAtMs = 0;

  constructor(
    private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly store: SkillStore,
  ) {}

  /** The first reading goes on beside the start; whoever needs it earlier waits for it. */
  onModuleInit(): void {
    void this.catalogue();
  }

  async onModuleDestroy(): Promise<void> {
    await this.loaded;
  }

  /** What is offered now. Never throws. */
  async catalogue(): Promise<Catalogue> {
    const nowMs = this.clock.monotonicMs();
    if (!this.loaded || nowMs - this.lookedAtMs >= LOOK_EVERY_MS) {
      this.lookedAtMs = nowMs;
      this.loaded = this.refresh(this.loaded);
    }
    return (await this.loaded).catalogue;
  }

  private async refresh(before: Promise<Loaded> | undefined): Promise<Loaded> {
    const { claudeConfigDir } = this.config;
    // The folder itself may be a link: it is the operator's setting. Nothing in it is followed.
    const root = await realpath(claudeConfigDir).catch(() => claudeConfigDir);
    const [previous, seen] = [await before, await lookAt(root)];
    if (previous?.fingerprint === seen.fingerprint && (await this.store.has(previous.catalogue.skills)))
      return previous;
    const catalogue = await this.read(root, seen);
    const { agents, skills, findings } = catalogue;
    this.logger.log({ msg: 'agents and skills read', agents: agents.size, skills: skills.size });
    if (findings.length > 0)
      this.logger.warn({ msg: 'left out or stripped', findings: findings.slice(0, MOST_LOGGED) });
    return { fingerprint: seen.fingerprint, catalogue };
  }

  private async read(root: string, seen: Seen): Promise<Catalogue> {
    const findings = [...seen.findings];
    const agents = await this.collect(
      seen.agents,
      ({ path }) => path,
      findings,
      (file) => this.readAgent(root, file),
    );
    const skills = await this.collect(
      seen.skills,
      ({ name }) => `skills/${name}`,
      findings,
      (skill) => this.readSkill(root, skill),
    );
    return { agents, skills, findings };
  }

  /** The first of a name counts. */
  private async collect<S, E extends AgentEntry | SkillEntry>(
    seen: S[],
    pathOf: (one: S) => string,
    findings: Finding[],
    read: (one: S) => Promise<E>,
  ): Promise<Map<string, E>> {
    const entries = new Map<string, E>();
    for (const one of seen) {
      const path = pathOf(one);
      try {
        const entry = await read(one);
        if (entries.has(entry.name)) {
          findings.push({ path, problem: `has the name ${entry.name}, which another one has already` });
          continue;
        }
        entries.set(entry.name, entry);
        if (entry.stripped.length > 0)
          findings.push({ path, problem: `asks for what it does not get: ${entry.stripped.join(', ')}` });
      } catch (error) {
        findings.push({ path, problem: problemOf(error) });
      }
    }
    return entries;
  }

  private async readAgent(root: string, { path }: SeenFile): Promise<AgentEntry> {
    return readAgent(await readText(join(root, path), MOST_BYTES_OF_A_TEXT), basename(path, '.md'));
  }

  private async readSkill(root: string, { name, files }: SeenSkill): Promise<SkillEntry> {
    const folder = `skills/${name}/`;
    const text = await readText(join(root, folder, 'SKILL.md'), MOST_BYTES_OF_A_TEXT);
    const { rewritten, ...entry } = readSkill(text, name);
    const copy = new Map<string, SkillFile>();
    for (const { path, size, executable } of files) {
      copy.set(path.slice(folder.length), {
        content: await readRegularFile(join(root, path), size),
        executable,
      });
    }
    copy.set('SKILL.md', { content: Buffer.from(rewritten), executable: false });
    return { ...entry, dir: await this.store.keep(copy) };
  }
}
