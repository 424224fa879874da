/** A tool that the model asks for. */
export interface ToolCall {
  tool: string;
  input: Record<string, unknown>;
}

/** `item` is what was asked for (`tool:Bash`, `agent:general-purpose`), `rule` who refused it (`tier:free`). */
export type Decision = { allowed: true } | { allowed: false; item: string; rule: string; message: string };

export type Decide = (call: ToolCall) => Decision;
