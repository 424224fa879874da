export { ApiKey } from './api-key.entity.js';
export { AuthGuard } from './auth.guard.js';
export { AuthModule } from './auth.module.js';
export { Bootstrap } from './bootstrap.js';
export { IssuedKeyDto, KeyDto, KeyListDto } from './dto/key.dto.js';
export { KeyChanges } from './key-changes.js';
export { KeyVerifier } from './key-verifier.js';
export { type IssuedKey, type KeyPage, KeysService } from './keys.service.js';
export { operatorPrincipal } from './operator.js';
