// Reads what a device answers: its status, the command it answers, Apple's error chain, and the rest as decoded.
import { type EnrolmentIds, readIds, resolveEnrolment } from '../enrolment.ts';
import { MdmError } from '../errors.ts';
import { decodeMessage, Keys, type MessageLimits } from '../keys.ts';
import { isDict, type PlistDict, type PlistValue } from '../plist.ts';

/** What a device may say of itself or of a command. */
export type CommandStatus = 'Idle' | 'Acknowledged' | 'Error' | 'CommandFormatError' | 'NotNow';

/** One link of Apple's `ErrorChain`; the first is the outermost, the last the cause. */
export interface ErrorChainItem {
  /** `ErrorCode`; its meaning depends on the domain. */
  readonly code: number;
  /** `ErrorDomain`, e.g. `MCMDMErrorDomain`. */
  readonly domain: string;
  /** The English description where there is one, else the localised one, else an empty string. */
  readonly description: string;
  /** `LocalizedDescription`, in the device's language. */
  readonly localizedDescription?: string;
  /** `USEnglishDescription`. */
  readonly usEnglishDescription?: string;
}

interface ResponseBase {
  /** The identifiers of the channel that sent it. */
  readonly ids: EnrolmentIds;
  /** `RequestType`, which some systems echo. */
  readonly requestType?: string;
  /** Empty unless the device reported errors. */
  readonly errorChain: readonly ErrorChainItem[];
  /** The whole response as decoded. */
  readonly value: PlistDict;
  /** The response as it was sent. */
  readonly raw: Uint8Array;
}

/** The device has nothing to report and asks for work. */
export interface IdleResponse extends ResponseBase {
  readonly status: 'Idle';
  readonly commandUuid?: undefined;
}

/** The device reports on a command. */
export interface ResultResponse extends ResponseBase {
  readonly status: Exclude<CommandStatus, 'Idle'>;
  /** The command that it reports on. */
  readonly commandUuid: string;
}

/** What a device sends to the server URL, told apart by `status`. */
export type CommandResponse = IdleResponse | ResultResponse;

const codes = { missing: 'mdm.response.missing_key', bad: 'mdm.response.bad_key' } as const;
const statuses: readonly string[] = ['Idle', 'Acknowledged', 'Error', 'CommandFormatError', 'NotNow'];

/**
 * Reads what a device sends with `PUT` to the server URL: `Idle`, or the result of a command.
 *
 * The error chain is read leniently: devices have been seen to leave out each of its keys, and an error report is not
 * worth refusing for that.
 *
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`, `mdm.response.unknown_status`,
 *   `mdm.response.missing_key` (e.g. `CommandUUID` of a result), `mdm.response.bad_key`, `mdm.enrolment.unidentified`
 * @example
 * const response = readResponse(body);
 * if (response.status === 'Error') console.warn(response.commandUuid, response.errorChain[0]?.description);
 */
export function readResponse(bytes: Uint8Array, limits?: MessageLimits): CommandResponse {
  const value = decodeMessage(bytes, limits);
  const keys = new Keys(value, codes);
  const status = keys.requiredString('Status');
  if (!statuses.includes(status)) {
    throw new MdmError('mdm.response.unknown_status', `unknown Status ${JSON.stringify(status.slice(0, 64))}`, {
      at: { path: '/Status' },
      remedy: `known are ${statuses.join(', ')}`,
    });
  }
  const ids = readIds(keys);
  resolveEnrolment(ids);
  const requestType = keys.string('RequestType');
  const base: ResponseBase = {
    ids,
    ...(requestType === undefined ? {} : { requestType }),
    errorChain: readErrorChain(keys),
    value,
    raw: bytes,
  };
  if (status === 'Idle') return { status, ...base };
  return { status: status as ResultResponse['status'], commandUuid: keys.requiredString('CommandUUID'), ...base };
}

function readErrorChain(keys: Keys): readonly ErrorChainItem[] {
  const chain = keys.array('ErrorChain') ?? [];
  const odd = chain.findIndex((item) => !isDict(item));
  if (odd >= 0) {
    throw new MdmError(codes.bad, `/ErrorChain/${odd} is not a dictionary`, { at: { path: `/ErrorChain/${odd}` } });
  }
  return linksOf(chain);
}

function linksOf(chain: readonly PlistValue[]): readonly ErrorChainItem[] {
  return chain.filter(isDict).map((item) => {
    const { ErrorCode: code, ErrorDomain: domain, LocalizedDescription: local, USEnglishDescription: english } = item;
    return {
      code: typeof code === 'number' ? code : 0,
      domain: typeof domain === 'string' ? domain : '',
      description: typeof english === 'string' ? english : typeof local === 'string' ? local : '',
      ...(typeof local === 'string' ? { localizedDescription: local } : {}),
      ...(typeof english === 'string' ? { usEnglishDescription: english } : {}),
    };
  });
}

/** What became of one setting of a `Settings` command. */
export interface SettingResult {
  /** The setting (`Item`), where the device names it. */
  readonly item?: string;
  /** The app that it is for. */
  readonly identifier?: string;
  /** `Acknowledged`, `Error`, `CommandFormatError`, or what else the device says. */
  readonly status: string;
  /** Empty unless the device reported errors for it. */
  readonly errorChain: readonly ErrorChainItem[];
}

/**
 * The results of the settings in the answer to a `Settings` command. The command is acknowledged as a whole even where the
 * device refused some of them, or all. Empty for answers to other commands.
 *
 * @see https://developer.apple.com/documentation/devicemanagement/settings-command
 * @example
 * const refused = settingResults(response).filter(({ status }) => status !== 'Acknowledged');
 */
export function settingResults(response: CommandResponse): readonly SettingResult[] {
  const { Settings: results } = response.value;
  if (results === undefined) return [];
  // The schema has a dictionary, Apple's example and devices have a list.
  return (Array.isArray(results) ? results : [results]).filter(isDict).flatMap((result) => {
    const { Status: status, Item: item, Identifier: identifier, ErrorChain: chain } = result;
    if (typeof status !== 'string') return [];
    return {
      ...(typeof item === 'string' ? { item } : {}),
      ...(typeof identifier === 'string' ? { identifier } : {}),
      status,
      errorChain: Array.isArray(chain) ? linksOf(chain) : [],
    };
  });
}
