// Validation's public face.
export type { Issue, IssueCode, Severity } from './issue.ts';
export { type Objection, objectionsTo } from './judge.ts';
export { nearest } from './nearest.ts';
export {
  compareVersions,
  formatTarget,
  type ParsedTarget,
  parseTarget,
  type Target,
  targetWords,
} from './target.ts';
export { type ValidateKind, type ValidateOptions, validate, validateKinds } from './validate.ts';
