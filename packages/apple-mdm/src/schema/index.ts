// The schema catalogue's public face: the generated types and the lookup API.
export type * from '../generated/types.ts';
export { type SchemaMatch, schema } from './catalogue.ts';
export type {
  KeyType,
  Platform,
  PlatformSupport,
  RuleCondition,
  Scalar,
  SchemaItem,
  SchemaKey,
  SchemaKind,
  SchemaRule,
  Support,
  SupportMode,
} from './model.ts';
export { keyTypes, platforms, schemaKinds } from './model.ts';
export { effectiveSupport } from './support.ts';
