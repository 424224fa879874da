import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import type { Said } from '../broker/answer-reader.js';
import type { BoundRun } from '../broker/bound-run.js';
import type { CliBox } from './cli-box.js';

/** A process of the CLI at work on one run. */
export interface CliSession {
  /** What the broker knows of the run. */
  bound: BoundRun;
  box: CliBox;
  messages: AsyncIterable<SDKMessage | Said>;
  /** The process was there before the run. Absent = it was started for this run, outside of the pool. */
  pooled?: { warm: boolean };
  /** `isClean`: the run went as well as it can. Afterwards no call of it is under way. */
  end(isClean: boolean): Promise<void>;
}
