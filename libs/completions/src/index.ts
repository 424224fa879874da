export { CompletionsModule } from './completions.module.js';
export { CompletionsService } from './completions.service.js';
export { CreateChatDto } from './dto/create-chat.dto.js';
