// What a device says of itself before it is enrolled: with ADE, account-driven enrolment and the profile service.
// Keys: Apple's schema, other/machineinfo.yaml; the attributes of the profile service are those that its payload asks for.
import type { MdmErrorCode } from '../errors.ts';
import { decodeMessage, Keys, type MessageLimits } from '../keys.ts';
import { optional } from '../optional.ts';
import type { PlistDict } from '../plist.ts';

/** A device that asks for its enrolment profile. With User Enrolment only product, build and language are told. */
export interface MachineInformation {
  /** `PRODUCT`: `iPhone15,2`. */
  readonly product: string;
  /** `VERSION`: the build, `21A329`. */
  readonly build: string;
  readonly udid?: string;
  readonly serialNumber?: string;
  /** `OS_VERSION`, from iOS 17, macOS 14 and tvOS 17 on. */
  readonly osVersion?: string;
  readonly supplementalBuild?: string;
  readonly supplementalOsVersion?: string;
  readonly imei?: string;
  readonly meid?: string;
  readonly language?: string;
  /** `SOFTWARE_UPDATE_DEVICE_ID` */
  readonly softwareUpdateDeviceId?: string;
  /** `MDM_CAN_REQUEST_SOFTWARE_UPDATE`: the answer may be that an update is needed first. */
  readonly canUpdateFirst: boolean;
  /** `MDM_CAN_REQUEST_PSSO_CONFIG`: the answer may be that Platform SSO is needed first. */
  readonly canSignInFirst: boolean;
  /** `PAIRING_TOKEN` of a watch. */
  readonly pairingToken?: Uint8Array;
  /** `CHALLENGE`, which the profile service gave. */
  readonly challenge?: string;
  /** Everything, as decoded. */
  readonly value: PlistDict;
}

const codes: { readonly missing: MdmErrorCode; readonly bad: MdmErrorCode } = {
  missing: 'mdm.machine_info.missing_key',
  bad: 'mdm.machine_info.bad_key',
};

/** Enough for what a device says of itself; some hundred bytes are usual. */
const limits: MessageLimits = { maxBytes: 64 * 1024, maxDepth: 8, maxElements: 1000 };

/**
 * Reads the property list inside the signed message. Check the signature first: `verifyMachineInfo` of `@espalier/pki`.
 *
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`, `mdm.machine_info.missing_key`,
 *   `mdm.machine_info.bad_key`
 * @example
 * const { content } = verifyMachineInfo(body);
 * const device = readMachineInfo(content);
 */
export function readMachineInfo(content: Uint8Array): MachineInformation {
  const value = decodeMessage(content, limits);
  const keys = new Keys(value, codes);
  return {
    product: keys.requiredString('PRODUCT'),
    build: keys.requiredString('VERSION'),
    ...optional('udid', keys.string('UDID')),
    ...optional('serialNumber', keys.string('SERIAL')),
    ...optional('osVersion', keys.string('OS_VERSION')),
    ...optional('supplementalBuild', keys.string('SUPPLEMENTAL_BUILD_VERSION')),
    ...optional('supplementalOsVersion', keys.string('SUPPLEMENTAL_OS_VERSION_EXTRA')),
    ...optional('imei', keys.string('IMEI')),
    ...optional('meid', keys.string('MEID')),
    ...optional('language', keys.string('LANGUAGE')),
    ...optional('softwareUpdateDeviceId', keys.string('SOFTWARE_UPDATE_DEVICE_ID')),
    canUpdateFirst: keys.boolean('MDM_CAN_REQUEST_SOFTWARE_UPDATE') ?? false,
    canSignInFirst: keys.boolean('MDM_CAN_REQUEST_PSSO_CONFIG') ?? false,
    ...optional('pairingToken', keys.data('PAIRING_TOKEN')),
    ...optional('challenge', keys.string('CHALLENGE')),
    value,
  };
}
