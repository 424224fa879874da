export { CompletionsModule } from './completions.module.js';
