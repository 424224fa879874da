export { wireEvents } from './completion-stream.js';
export { CompletionsModule } from './completions.module.js';
export { CompletionsService } from './completions.service.js';
export { CreateChatDto } from './dto/create-chat.dto.js';
export { CreateCompletionDto } from './dto/create-completion.dto.js';
