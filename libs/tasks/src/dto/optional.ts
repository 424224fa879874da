import { ValidateIf } from 'class-validator';

/** May be left out; unlike `IsOptional`, an explicit null is a mistake. */
export const Optional = () => ValidateIf((_, value) => value !== undefined);
