// The public names of the package.
export type { Clock } from './clock.ts';
export {
  AdeError,
  type AdeErrorDetails,
  type AdeErrorKind,
  type AdePlace,
  type AppleAnswer,
  isAdeError,
} from './errors.ts';
export { createTokenKeyPair, type TokenKeyPair, type TokenKeyPairOptions } from './token/key-pair.ts';
export {
  type AccountState,
  accountState,
  checkRenewal,
  type KnownServer,
  type TokenLife,
  tokenLife,
} from './token/life.ts';
export { openServerToken, readServerToken, type ServerToken, type TokenKey } from './token/open.ts';
