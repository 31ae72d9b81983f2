// The messages that a device sends, written straight from Apple's documentation of check-in and command responses.
import { encodeXml, type PlistInput } from '@espalier/plist';
import { platformOf } from '../catalogue.ts';
import { type DeviceState, fromBase64, type MdmSettings } from './state.ts';

/** One link of an error chain. */
export interface ErrorItem {
  readonly code: number;
  readonly domain: string;
  readonly text: string;
}

/** `Authenticate`: what the device is. Access to device information decides on the keys beyond the first three. */
export function authenticateMessage(state: DeviceState, mdm: MdmSettings): Uint8Array {
  const mac = state.kind === 'Mac';
  const known = mac || (mdm.accessRights & 16) !== 0;
  return encodeXml({
    ...(known ? { BuildVersion: state.buildVersion } : {}),
    ...(mac ? { DeviceName: state.deviceName } : {}),
    ...(known && state.cellular ? { IMEI: state.imei, MEID: state.meid } : {}),
    MessageType: 'Authenticate',
    ...(mac ? { Model: state.model, ModelName: state.modelName } : {}),
    ...(known ? { OSVersion: state.osVersion, ProductName: state.productName, SerialNumber: state.serialNumber } : {}),
    Topic: mdm.topic,
    UDID: state.udid,
  });
}

/** `TokenUpdate`: how to wake the device, and on iOS the token that clears the passcode. */
export function tokenUpdateMessage(state: DeviceState, mdm: MdmSettings): Uint8Array {
  const unlock = platformOf(state.kind) === 'iOS' && (mdm.accessRights & 4) !== 0;
  return encodeXml({
    AwaitingConfiguration: state.awaitingConfiguration,
    MessageType: 'TokenUpdate',
    ...(state.kind === 'Mac' ? { NotOnConsole: false } : {}),
    PushMagic: state.pushMagic,
    Token: new Uint8Array(Buffer.from(state.pushToken, 'hex')),
    Topic: mdm.topic,
    UDID: state.udid,
    ...(unlock ? { UnlockToken: fromBase64(state.unlockToken) } : {}),
  });
}

/** `CheckOut`: the profile is gone. */
export function checkOutMessage(state: DeviceState, mdm: MdmSettings): Uint8Array {
  return encodeXml({ MessageType: 'CheckOut', Topic: mdm.topic, UDID: state.udid });
}

/** `Idle`: nothing to report, send work. */
export function idleMessage(state: DeviceState): Uint8Array {
  return encodeXml({ Status: 'Idle', UDID: state.udid });
}

/** The result of a command. */
export function resultMessage(
  state: DeviceState,
  commandUuid: string,
  status: string,
  keys: { readonly [key: string]: PlistInput },
  errors: readonly ErrorItem[],
): Uint8Array {
  return encodeXml({
    CommandUUID: commandUuid,
    ...(errors.length === 0
      ? {}
      : {
          ErrorChain: errors.map(({ code, domain, text }) => ({
            ErrorCode: code,
            ErrorDomain: domain,
            LocalizedDescription: text,
            USEnglishDescription: text,
          })),
        }),
    ...keys,
    Status: status,
    UDID: state.udid,
  });
}
