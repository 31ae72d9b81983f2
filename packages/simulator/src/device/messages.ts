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
  const named = known && mdm.userEnrolment !== true;
  return encodeXml({
    ...(known ? { BuildVersion: state.buildVersion } : {}),
    ...(mac ? { DeviceName: state.deviceName } : {}),
    ...(named && state.cellular ? { IMEI: state.imei, MEID: state.meid } : {}),
    MessageType: 'Authenticate',
    ...(mac ? { Model: state.model, ModelName: state.modelName } : {}),
    ...(known ? { OSVersion: state.osVersion, ProductName: state.productName } : {}),
    ...(named ? { SerialNumber: state.serialNumber } : {}),
    Topic: mdm.topic,
    ...senderKeys(state),
  });
}

/**
 * Who sends a message: the device by its UDID, in a User Enrolment by what the enrolment is called; and the user, on a
 * user's channel. Source: the schema, mdm/checkin/tokenupdate.yaml.
 */
export function senderKeys(state: DeviceState): { readonly [key: string]: PlistInput } {
  const device = state.enrolmentId === undefined ? { UDID: state.udid } : { EnrollmentID: state.enrolmentId };
  const { user } = state;
  if (user === undefined) return device;
  return {
    ...device,
    ...(user.enrolmentUserId === undefined ? { UserID: user.userId } : { EnrollmentUserID: user.enrolmentUserId }),
    UserShortName: user.shortName,
    ...(state.kind === 'Mac' ? { UserLongName: user.longName } : {}),
    ...(user.authToken === undefined ? {} : { AuthToken: user.authToken }),
  };
}

/** `TokenUpdate`: how to wake a channel, and from an iPhone or iPad the token that clears the passcode. */
export function tokenUpdateMessage(state: DeviceState, mdm: MdmSettings): Uint8Array {
  const platform = platformOf(state.kind);
  const has = platform === 'iOS' || platform === 'visionOS' || platform === 'watchOS';
  const kept = state.user !== undefined || state.sharedIpad === true || mdm.userEnrolment === true;
  const unlock = has && !kept && (mdm.accessRights & 4) !== 0;
  // Watches do not say it, nor do users of Macs.
  const waits = platform !== 'watchOS' && !(platform === 'macOS' && state.user !== undefined);
  return encodeXml({
    ...(waits ? { AwaitingConfiguration: state.awaitingConfiguration } : {}),
    MessageType: 'TokenUpdate',
    ...(state.kind === 'Mac' ? { NotOnConsole: false } : {}),
    PushMagic: state.pushMagic,
    Token: new Uint8Array(Buffer.from(state.pushToken, 'hex')),
    Topic: mdm.topic,
    ...senderKeys(state),
    ...(unlock ? { UnlockToken: fromBase64(state.unlockToken) } : {}),
  });
}

/** `CheckOut`: the profile is gone. */
export function checkOutMessage(state: DeviceState, mdm: MdmSettings): Uint8Array {
  return encodeXml({ MessageType: 'CheckOut', Topic: mdm.topic, ...senderKeys(state) });
}

/** `Idle`: nothing to report, send work. */
export function idleMessage(state: DeviceState): Uint8Array {
  return encodeXml({ Status: 'Idle', ...senderKeys(state) });
}

/** Errors as devices tell them. */
export function errorChain(errors: readonly ErrorItem[]): PlistInput {
  return errors.map(({ code, domain, text }) => ({
    ErrorCode: code,
    ErrorDomain: domain,
    LocalizedDescription: text,
    USEnglishDescription: text,
  }));
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
          ErrorChain: errorChain(errors),
        }),
    ...keys,
    Status: status,
    ...senderKeys(state),
  });
}

/** `UserAuthenticate`: a directory user of a Mac logs in; `digest` answers the challenge. */
export function userAuthenticateMessage(state: DeviceState, userId: string, digest: string): Uint8Array {
  return encodeXml({ DigestResponse: digest, MessageType: 'UserAuthenticate', UDID: state.udid, UserID: userId });
}

/** `SetBootstrapToken`: a Mac hands its bootstrap token over. */
export function setBootstrapTokenMessage(state: DeviceState, token: Uint8Array): Uint8Array {
  return encodeXml({
    AwaitingConfiguration: state.awaitingConfiguration,
    BootstrapToken: token,
    MessageType: 'SetBootstrapToken',
    ...senderKeys(state),
  });
}

/** `GetBootstrapToken`: a Mac asks for it. */
export function getBootstrapTokenMessage(state: DeviceState): Uint8Array {
  return encodeXml({
    AwaitingConfiguration: state.awaitingConfiguration,
    MessageType: 'GetBootstrapToken',
    ...senderKeys(state),
  });
}

/** `GetToken`: a token of a service. */
export function getTokenMessage(
  state: DeviceState,
  service: string,
  parameters: { readonly [key: string]: string },
): Uint8Array {
  return encodeXml({
    MessageType: 'GetToken',
    TokenServiceType: service,
    ...(Object.keys(parameters).length === 0 ? {} : { TokenParameters: parameters }),
    ...senderKeys(state),
  });
}

/** `ReturnToService`: the user, or the pause, has begun it. */
export function returnToServiceMessage(state: DeviceState): Uint8Array {
  return encodeXml({ MessageType: 'ReturnToService', ...senderKeys(state) });
}
