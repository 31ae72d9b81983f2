// @espalier/search: the device search language.
export { parseBasic } from './basic.ts';
export { type CheckOptions, check, validate } from './check.ts';
export { compile, type FactValue, type Matcher, type SearchRecord } from './compile.ts';
export { type Completion, type CompletionItem, complete } from './complete.ts';
export { SearchError, type SearchErrorDetails, type SearchPosition, SearchSyntaxError } from './errors.ts';
export {
  and,
  type Comparison,
  type Condition,
  compare,
  comparisonsOf,
  type Duration,
  type DurationUnit,
  EVERYTHING,
  type Expression,
  type Literal,
  mapComparisons,
  not,
  type Operator,
  or,
  type ValueOperator,
} from './expression.ts';
export type { Field, FieldSource, FieldType, FieldValue, Platform } from './field.ts';
export { canonical, fieldsOf, isTimeDependent, nextChange } from './fields-of.ts';
export { fold, foldIdentifier, versionKey } from './fold.ts';
export type { ComparisonSpan, SearchIssue } from './issue.ts';
export { DEFAULT_LIMITS, type SearchLimits } from './limits.ts';
export { type LintOptions, lint } from './lint.ts';
export { OPERATORS, type Operand, type OperatorInfo, operatorInfo, operatorsFor } from './operators.ts';
export { parse } from './parse.ts';
export { type Parsed, type ParseOptions, parseTolerant } from './parser.ts';
export { print } from './print.ts';
export { type Catalogue, createCatalogue, isToken } from './registry.ts';
export { excludeRetired } from './retired.ts';
export type { MeaningOptions } from './typing.ts';
