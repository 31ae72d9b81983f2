// What a command does to a device, and the answers that all commands have in common.
import type { PlistDict, PlistInput } from '@espalier/plist';
import type { Platform } from '../catalogue.ts';
import type { ErrorItem } from '../device/messages.ts';
import type { ProfileProblem } from '../device/profile.ts';
import type { DeviceState, MdmSettings, StoredIdentity } from '../device/state.ts';

/** What a handler works on. It changes the state as the command asks. */
export interface CommandContext {
  readonly state: DeviceState;
  readonly platform: Platform;
  /** The `Command` dictionary. */
  readonly payload: PlistDict;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What a device answers, and what happens to it once the answer is delivered. */
export interface CommandResult {
  readonly status: 'Acknowledged' | 'Error' | 'CommandFormatError' | 'NotNow';
  readonly keys?: { readonly [key: string]: PlistInput };
  readonly errors?: readonly ErrorItem[];
  /** `erase`: all is gone. `leave`: the enrolment profile is removed. `restart`, `halt`: the session ends. */
  readonly effect?: 'erase' | 'leave' | 'restart' | 'halt';
  /** Before the answer: the device gets a new identity, and then does this; without one the command fails. */
  readonly renewal?: { readonly mdm: MdmSettings; apply(): void };
  /** Before the answer: the device gets the identities of these payloads, and then does this; else the command fails. */
  readonly identities?: { readonly payloads: readonly PlistDict[]; apply(got: readonly StoredIdentity[]): void };
}

/** One command; what it needs is in availability.ts. */
export interface Handler {
  /** A locked device with data protection does it all the same (Apple's list of commands that never answer NotNow). */
  readonly whenLocked?: boolean;
  run(context: CommandContext): CommandResult;
}

/** Handlers by request type. */
export type Handlers = { readonly [requestType: string]: Handler };

/** Done, with the given keys. */
export function acknowledged(keys: { readonly [key: string]: PlistInput } = {}): CommandResult {
  return { status: 'Acknowledged', keys };
}

/** Not done, with Apple's domain and code. */
export function failed(domain: string, code: number, text: string): CommandResult {
  return { status: 'Error', errors: [{ domain, code, text }] };
}

/** The command lacks a key, or one has a wrong type. Devices add no error chain to that. */
export const malformed: CommandResult = Object.freeze({ status: 'CommandFormatError' });

/** The domain of errors of the MDM client. Codes: Apple's MDM protocol reference, MCMDMErrorDomain. */
export const mdmDomain = 'MCMDMErrorDomain';

/** A profile that is not installed: as on devices, the outer error says so, the inner one why. */
export function installationFailed({
  domain,
  code,
  message,
}: Pick<ProfileProblem, 'domain' | 'code' | 'message'>): CommandResult {
  return {
    status: 'Error',
    errors: [
      { domain: 'MCInstallationErrorDomain', code: 4001, text: 'Profile Installation Failed' },
      { domain, code, text: message },
    ],
  };
}
