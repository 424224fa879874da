/** Bodies for the documents, ready to send. */
export const EXAMPLES = {
  'A question about files': {
    value: {
      description: 'What does app.py print?',
      files: [{ path: 'app.py', content: 'print("hello")\n' }],
    },
  },
  'An audit': {
    value: {
      description: 'Audit the code in src for SQL injection and write what you found to report.md.',
      allow_tools: ['Read', 'Grep', 'Bash', 'Write'],
      allow_agents: ['security-auditor'],
      model: 'sonnet',
      timeout_seconds: 300,
      max_cost_usd: 0.5,
      workspace: 'website',
    },
  },
  'An answer with a shape': {
    value: {
      description: 'Count the TODO comments.',
      allow_tools: ['Grep'],
      output_schema: { type: 'object', properties: { todos: { type: 'integer' } }, required: ['todos'] },
      context: { branch: 'main' },
      metadata: { ticket: 'A-17' },
    },
  },
};
