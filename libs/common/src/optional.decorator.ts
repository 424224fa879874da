import { ValidateIf } from 'class-validator';

/** A field that may be left out; unlike `IsOptional`, an explicit null is a mistake. */
export const Optional = () => ValidateIf((_, value) => value !== undefined);
