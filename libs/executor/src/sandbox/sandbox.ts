import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { WorkspaceDir } from '../run-spec.js';
import type { RunFolder } from './run-folders.js';

/** What the operator is told about the walls around a run. */
export interface Isolation {
  level: 'weak' | 'strong';
  /** Shown to anybody: no path. */
  detail: string;
  /** Why tasks are refused, with the one-line fix. Absent = they run. */
  tasksRefused?: string;
}

/** What a run brings along that its box has to show it. */
export interface BoxContent {
  folder: RunFolder;
  workspace?: WorkspaceDir;
  /** Where the broker listens for this run: `Broker.bind` says it. */
  broker: BrokerDoor;
}

/** On loopback, or on a socket that belongs to one run. */
export type BrokerDoor = { url: string } | { socketPath: string };

/** Where a run finds its things, as seen from inside its box. */
export interface BoxView {
  home: string;
  configDir: string;
  tmpDir: string;
  workDir: string;
  pluginDir: string;
  transcriptPath: string;
  brokerUrl: string;
}

export interface BoxSpec extends BoxContent {
  command: string;
  args: string[];
  /** Added to the allow-list of inherited variables. */
  env: Record<string, string>;
  limits: { memoryBytes: number; processes: number };
}

/** The outer process of a box: it lives as long as anything in the box does. */
export type SandboxedProcess = ChildProcessByStdio<Writable, Readable, Readable> & {
  /** Set when the box was ended because it took more than its limits. */
  exceeded?: 'memory' | 'disk';
};

/** The walls around a run. One conformance suite holds for every adapter. */
export abstract class Sandbox {
  abstract readonly isolation: Isolation;
  /** Where the broker has to listen for a run: its own socket. Undefined = a box reaches loopback. */
  abstract brokerSocket(folder: RunFolder): string | undefined;
  abstract view(content: BoxContent): BoxView;
  /** Gives the content to whom the box runs as. Once, after all of it is made and before `spawn`. */
  abstract prepare(content: BoxContent): Promise<void>;
  abstract spawn(box: BoxSpec): SandboxedProcess;
  /** SIGKILL to everything in the box; what it started too. Harmless when it has ended. */
  abstract kill(process: SandboxedProcess): void;
}
