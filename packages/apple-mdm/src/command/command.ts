// Writes a command as the device gets it, and reads one as the device does.

import { MdmError, wrapPlistError } from '../errors.ts';
import type { CommandPayloads } from '../generated/types-commands.ts';
import { decodeMessage, Keys, type MessageLimits } from '../keys.ts';
import { encodeXml, type PlistDict, type PlistInput } from '../plist.ts';

/** A command, ready to be queued: the bytes are what the device gets. */
export interface Command {
  /** The property list, XML. */
  readonly bytes: Uint8Array;
  readonly commandUuid: string;
  readonly requestType: string;
}

/** What a command needs besides its payload. */
export interface CommandOptions {
  /** Names the command; the device's answer carries it. Any string that is unique for the device. */
  readonly commandUuid: string;
}

/** A command without payload keys may leave the payload out. */
type PayloadArguments<P> =
  Record<never, never> extends P
    ? [payload: P | undefined, options: CommandOptions]
    : [payload: P, options: CommandOptions];

/**
 * Writes a command of Apple's schema; the payload is typed by `requestType`.
 *
 * @throws MdmError `mdm.command.bad_key` when `requestType` or `commandUuid` is empty; `mdm.not_plist` when the payload
 *   holds what no property list can.
 * @example
 * const { bytes } = command('DeviceLock', { Message: 'Please call' }, { commandUuid: crypto.randomUUID() });
 */
export function command<T extends keyof CommandPayloads & string>(
  requestType: T,
  ...rest: PayloadArguments<CommandPayloads[T]>
): Command {
  const [payload, options] = rest;
  // Generated payload types are interfaces, which TypeScript does not take for index types although they are.
  return rawCommand(requestType, (payload ?? {}) as RawPayload, options);
}

/** A payload that no type describes. */
export type RawPayload = { readonly [key: string]: PlistInput | undefined };

/**
 * Writes any command, also one that the schema does not know. Nothing but the envelope is checked.
 *
 * @throws MdmError `mdm.command.bad_key`
 * @example
 * rawCommand('BrandNewCommand', { Key: 1 }, { commandUuid: 'A1' });
 */
export function rawCommand(requestType: string, payload: RawPayload, options: CommandOptions): Command {
  const { commandUuid } = options;
  if (requestType === '') throw new MdmError('mdm.command.bad_key', 'requestType is empty');
  if (commandUuid === '') throw new MdmError('mdm.command.bad_key', 'commandUuid is empty');
  if (payload['RequestType'] !== undefined && payload['RequestType'] !== requestType) {
    throw new MdmError('mdm.command.bad_key', `the payload's RequestType is not ${requestType}`, {
      at: { path: '/Command/RequestType' },
    });
  }
  const bytes = encodePlist({ CommandUUID: commandUuid, Command: { RequestType: requestType, ...payload } });
  return { bytes, commandUuid, requestType };
}

/** A command as a device reads it. */
export interface ReceivedCommand {
  readonly commandUuid: string;
  readonly requestType: string;
  /** The `Command` dictionary, `RequestType` included. */
  readonly payload: PlistDict;
  readonly raw: Uint8Array;
}

/**
 * Reads a command as a device does: for simulators and tests.
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`, `mdm.command.missing_key`, `mdm.command.bad_key`
 */
export function readCommand(bytes: Uint8Array, limits?: MessageLimits): ReceivedCommand {
  const keys = new Keys(decodeMessage(bytes, limits), {
    missing: 'mdm.command.missing_key',
    bad: 'mdm.command.bad_key',
  });
  const commandUuid = keys.requiredString('CommandUUID');
  const inner = keys.requiredNested('Command');
  return { commandUuid, requestType: inner.requiredString('RequestType'), payload: inner.dict, raw: bytes };
}

/** Encodes, with this package's error for a value that a property list has no place for. */
export function encodePlist(value: PlistInput, options?: { readonly sortKeys?: boolean }): Uint8Array {
  try {
    return encodeXml(value, options);
  } catch (error) {
    throw wrapPlistError(error);
  }
}
