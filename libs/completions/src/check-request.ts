import { AppError, modelFamily } from '@app/common';
import type { CreateCompletionDto } from './dto/create-completion.dto.js';

const MEBIBYTE = 1024 * 1024;
const METADATA_BYTES = 16 * 1024;

/** What the DTO’s decorators cannot say: sizes in bytes, known models, and fields that exclude each other. */
export function checkRequest(dto: CreateCompletionDto): void {
  atMost(MEBIBYTE, 'prompt', dto.prompt);
  atMost(MEBIBYTE, 'system', dto.system ?? '');
  atMost(METADATA_BYTES, 'metadata', dto.metadata ? JSON.stringify(dto.metadata) : '');
  if (dto.model !== undefined && dto.model !== 'auto' && !modelFamily(dto.model)) {
    throw new AppError(
      'invalid_request',
      'model must be haiku, sonnet, opus, auto or a full id such as claude-haiku-5-5',
      { param: 'model' },
    );
  }
  if (dto.temperature !== undefined && dto.top_p !== undefined) {
    throw new AppError('invalid_request', 'temperature and top_p cannot be set together', { param: 'top_p' });
  }
}

function atMost(bytes: number, param: string, text: string): void {
  if (Buffer.byteLength(text) <= bytes) return;
  throw new AppError('request_too_large', `${param} may have at most ${bytes} bytes`, { param });
}
