import { AppError, requireAtMost, requireModel } from '@app/common';
import type { CreateCompletionDto } from './dto/create-completion.dto.js';

const MEBIBYTE = 1024 * 1024;
const METADATA_BYTES = 16 * 1024;

/** What the DTO’s decorators cannot say: sizes in bytes, known models, and fields that exclude each other. */
export function checkRequest(dto: Partial<CreateCompletionDto>): void {
  requireAtMost(MEBIBYTE, 'prompt', dto.prompt);
  requireAtMost(MEBIBYTE, 'system', dto.system);
  requireAtMost(METADATA_BYTES, 'metadata', dto.metadata && JSON.stringify(dto.metadata));
  requireModel(dto.model ?? 'auto');
  if (dto.temperature !== undefined && dto.top_p !== undefined) {
    throw new AppError('invalid_request', 'temperature and top_p cannot be set together', { param: 'top_p' });
  }
}
