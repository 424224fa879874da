import { query } from '@anthropic-ai/claude-agent-sdk';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { BoundRun } from '../broker/bound-run.js';
import { Pass } from '../broker/pass.js';
import type { RunSpec } from '../run-spec.js';
import { CliBoxes } from './cli-box.js';
import type { CliSession } from './cli-session.js';
import { saidNow, writeTranscript } from './earlier-turns.js';
import { sdkOptions } from './sdk-options.js';
import { makeSkillPlugin } from './skill-plugin.js';
import type { ToolTrail } from './tool-trail.js';

/** Starts a process of the CLI for one run, with all that the run brings along. It ends with the run. */
@Injectable()
export class ColdSessions {
  constructor(
    private readonly config: AppConfig,
    private readonly boxes: CliBoxes,
  ) {}

  async start(spec: RunSpec, trail: ToolTrail): Promise<CliSession> {
    const { agentic } = spec;
    const bound = new BoundRun(spec);
    const box = await this.boxes.open(spec.runId, Pass.of(bound), {
      ...{ workspace: agentic?.workspace, limits: agentic?.limits },
      furnish: async ({ pluginDir, transcriptPath }) => {
        if (agentic?.skills.length) await makeSkillPlugin(pluginDir, agentic.skills);
        await writeTranscript(transcriptPath, spec);
      },
    });
    const options = sdkOptions(spec, box.view, this.config.cliPath, trail);
    const messages = query({
      prompt: saidNow(spec),
      options: { ...options, spawnClaudeCodeProcess: box.spawn },
    });
    box.whenKilled(() => messages.close());
    return { bound, box, messages, end: () => box.end() };
  }
}
