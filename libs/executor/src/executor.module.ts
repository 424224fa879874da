import { Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { Broker } from './broker/broker.js';
import { ModelCalls } from './broker/model-calls.js';
import { Upstream } from './broker/upstream.js';
import { ClaudeCliExecutor } from './claude-cli/claude-cli-executor.js';
import { CliBoxes } from './claude-cli/cli-box.js';
import { ColdSessions } from './claude-cli/cold-sessions.js';
import { PooledTasks } from './claude-cli/pooled-tasks.js';
import { PooledSessions } from './claude-cli/pooled-sessions.js';
import { CliExecutor } from './cli-executor.js';
import { CredentialHealth } from './credential-health.js';
import { PoolController } from './pool/pool.controller.js';
import { ProcessPool } from './pool/process-pool.js';
import { chooseSandbox } from './sandbox/choose-sandbox.js';
import { RunFolders } from './sandbox/run-folders.js';
import { Sandbox } from './sandbox/sandbox.js';

/** Clears what a killed predecessor left before the first run, and its own folder after the last. */
@Module({
  controllers: [PoolController],
  providers: [
    Broker,
    ModelCalls,
    Upstream,
    CredentialHealth,
    RunFolders,
    { provide: Sandbox, inject: [AppConfig, RunFolders], useFactory: chooseSandbox },
    CliBoxes,
    ColdSessions,
    PooledSessions,
    PooledTasks,
    ProcessPool,
    { provide: CliExecutor, useClass: ClaudeCliExecutor },
  ],
  exports: [CliExecutor, CredentialHealth, Sandbox],
})
export class ExecutorModule implements OnModuleInit, OnApplicationShutdown {
  constructor(private readonly folders: RunFolders) {}

  async onModuleInit(): Promise<void> {
    await this.folders.reap();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.folders.removeOwn();
  }
}
