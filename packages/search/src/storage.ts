// How values are kept and in which form texts are compared.
import type { FieldType } from './field.ts';
import { fold, foldIdentifier } from './fold.ts';

/** How each storage class of values is called. */
export type Storage = 'text' | 'number' | 'flag';

/** In which form values of a type are kept and compared. */
export function storageOf(type: FieldType): Storage {
  if (type === 'bool') return 'flag';
  return type === 'int' || type === 'bytes' || type === 'pct' || type === 'ts' || type === 'date' ? 'number' : 'text';
}

/** The comparable form of a text value of a type: folded, and for identifiers without separators, for lists trimmed. */
export function textKey(type: FieldType | 'any', value: string): string {
  if (type === 'mac' || type === 'udid') return foldIdentifier(value);
  return fold(type === 'enum' ? value.trim() : value);
}
