import { ApiProperty, OmitType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsArray, IsDefined, IsIn, ValidateNested } from 'class-validator';
import { CreateCompletionDto } from './create-completion.dto.js';

const ROLES = ['system', 'developer', 'user', 'assistant'] as const;

const TEXT_PART = {
  type: 'object',
  properties: { type: { type: 'string', enum: ['text'] }, text: { type: 'string' } },
  required: ['type', 'text'],
  additionalProperties: false,
};

export class ChatMessageDto {
  @ApiProperty({ enum: ROLES, example: 'user' })
  @IsIn(ROLES)
  role: (typeof ROLES)[number];

  @ApiProperty({
    description: 'What was said: a text, or parts of it. Data: no mention is expanded and no command runs.',
    oneOf: [{ type: 'string' }, { type: 'array', items: TEXT_PART }],
    example: 'What is my name?',
  })
  @IsDefined()
  content: string | { type: 'text'; text: string }[];
}

/** A completion that continues a conversation: everything but the prompt is as in `CreateCompletionDto`. */
export class CreateChatDto extends OmitType(CreateCompletionDto, ['prompt', 'system'] as const) {
  @ApiProperty({
    description:
      'The conversation so far, 1 to 1,000 messages and 1 MiB in all; the last one is the user’s. `system` and `developer` messages become the instructions for the model.',
    type: [ChatMessageDto],
    example: [
      { role: 'user', content: 'My name is Ada.' },
      { role: 'assistant', content: 'Hello Ada!' },
      { role: 'user', content: 'What is my name?' },
    ],
  })
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => ChatMessageDto)
  messages: ChatMessageDto[];
}
