// Reads what a device sends of itself before it is enrolled: signed by the device, as Apple's devices sign.
import { type MachineInformation, readMachineInfo } from '@espalier/apple-mdm';
import type { InvitationBinding } from '@espalier/core';
import { verifyMachineInfo } from '@espalier/pki';
import { HostError, isEspalierError } from '../errors.ts';

/** How machine information is verified. */
export interface MachineOptions {
  /** Issuers (DER) of the certificates that devices sign with. Default: Apple iPhone Device CA. */
  readonly anchors?: readonly Uint8Array[];
  /** Take a property list that nobody signed (default false): for simulators and tests. */
  readonly allowUnsigned?: boolean;
}

/**
 * The device behind a body, or behind the header `x-apple-aspen-deviceinfo`.
 * @throws HostError `host.enrol.machine_info` (403); MdmError where it is signed and yet no machine information
 */
export function readMachine(message: Uint8Array | string, options: MachineOptions): MachineInformation {
  const plain = typeof message === 'string' ? Buffer.from(message, 'base64') : message;
  if (options.allowUnsigned === true && isPropertyList(plain)) return readMachineInfo(plain);
  try {
    const { content } = verifyMachineInfo(message, options.anchors === undefined ? {} : { anchors: options.anchors });
    return readMachineInfo(content);
  } catch (cause) {
    if (!isEspalierError(cause) || cause.kind !== 'unauthenticated') throw cause;
    // 401 would make a device of an account-driven enrolment look for a way to sign in.
    throw new HostError(
      'forbidden',
      'host.enrol.machine_info',
      `The machine information is not believed: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

/** For whom the enrolment of this device is: nobody else can use its certificate. */
export function bindingOf({ serialNumber, udid }: MachineInformation): InvitationBinding {
  return { ...(serialNumber === undefined ? {} : { serialNumber }), ...(udid === undefined ? {} : { udid }) };
}

/** `<` of XML, or `bplist`: a CMS begins with 0x30. */
function isPropertyList(bytes: Uint8Array): boolean {
  return bytes[0] === 0x3c || Buffer.from(bytes.subarray(0, 6)).toString('latin1') === 'bplist';
}
