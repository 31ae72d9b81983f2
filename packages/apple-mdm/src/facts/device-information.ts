// DeviceInformation to facts. Keys and units: Apple's schema, mdm/commands/information.device.yaml.
import { isDict, numberOf, type PlistDict, type PlistValue } from '../plist.ts';
import {
  addPlatform,
  type Conversion,
  type FactSink,
  type Facts,
  flag,
  instant,
  nameIn,
  number,
  percent,
  text,
  texts,
} from './values.ts';

/** GSM 1, CDMA 2, both 3; 0 says that the device has no cellular radio. */
const cellular: Conversion = (value) => {
  if (value === 0) return null;
  if (value === 1) return 'GSM';
  if (value === 2) return 'CDMA';
  return value === 3 ? ['GSM', 'CDMA'] : undefined;
};

/** An empty text says that there is none. */
const textOrNone: Conversion = (value) => (value === '' ? null : text(value));

const architecture: Conversion = (value) => (typeof value === 'boolean' ? (value ? 'arm64' : 'x86_64') : undefined);

/** Which token each key feeds, and how. Some keys feed two. */
const keys: readonly (readonly [key: string, token: string, convert: Conversion])[] = [
  ['UDID', 'ios.UDID', text],
  ['DeviceName', 'ios.DeviceName', text],
  ['OSVersion', 'common.os_version', text],
  ['SupplementalOSVersionExtra', 'ios.SupplementalOSVersionExtra', text],
  ['BuildVersion', 'ios.BuildVersion', text],
  ['BuildVersion', 'ios.iPhone VERSION', text],
  ['SupplementalBuildVersion', 'ios.SupplementalBuildVersion', text],
  ['ModelName', 'common.model_name', text],
  ['Model', 'common.model', text],
  ['ProductName', 'ios.ProductName', text],
  ['ProductName', 'ios.iPhone PRODUCT', text],
  ['SerialNumber', 'common.serial_number', text],
  ['ModelNumber', 'ios.ModelNumber', text],
  ['IsAppleSilicon', 'common.processor_architecture', architecture],
  ['IsAppleSilicon', 'ios.IsAppleSilicon', flag],
  ['HasBattery', 'ios.HasBattery', flag],
  ['BatteryLevel', 'common.battery_level', percent],
  ['CellularTechnology', 'common.cellular_technology', cellular],
  ['IMEI', 'common.imei', text],
  ['MEID', 'ios.MEID', text],
  ['ICCID', 'ios.iPhone ICCID', text],
  ['ModemFirmwareVersion', 'ios.ModemFirmwareVersion', text],
  ['CarrierSettingsVersion', 'ios.CarrierSettingsVersion', text],
  ['PhoneNumber', 'common.current_phone_number', textOrNone],
  ['CurrentCarrierNetwork', 'common.current_operator_name', textOrNone],
  ['SubscriberCarrierNetwork', 'ios.Subscriber Carrier Network', text],
  ['SIMCarrierNetwork', 'ios.Subscriber Carrier Network', text],
  ['CurrentMCC', 'ios.Current MCC', text],
  ['CurrentMNC', 'ios.Current MNC', text],
  ['SIMMCC', 'ios.subscriber_mcc', text],
  ['SIMMNC', 'ios.subscriber_mnc', text],
  ['SubscriberMCC', 'ios.subscriber_mcc', text],
  ['SubscriberMNC', 'ios.subscriber_mnc', text],
  ['IsRoaming', 'common.roaming', flag],
  ['DataRoamingEnabled', 'ios.DataRoamingEnabled', flag],
  ['VoiceRoamingEnabled', 'ios.Voice Roaming Enabled', flag],
  ['PersonalHotspotEnabled', 'ios.Personal Hotspot Enabled', flag],
  ['IsNetworkTethered', 'ios.IsNetworkTethered', flag],
  ['WiFiMAC', 'common.wifi_mac_address', text],
  ['WiFiMAC', 'ios.iPhone MAC_ADDRESS_EN0', text],
  ['BluetoothMAC', 'ios.BluetoothMAC', text],
  ['EthernetMAC', 'common.ethernet_mac', text],
  ['IsSupervised', 'ios.Supervised', flag],
  ['IsMultiUser', 'ios.IsMultiUser', flag],
  ['IsDeviceLocatorServiceEnabled', 'ios.IsDeviceLocatorServiceEnabled', flag],
  ['IsActivationLockEnabled', 'ios.IsActivationLockEnabled', flag],
  ['IsActivationLockSupported', 'ios.IsActivationLockSupported', flag],
  ['IsDoNotDisturbInEffect', 'ios.IsDoNotDisturbInEffect', flag],
  ['IsMDMLostModeEnabled', 'ios.IsMDMLostModeEnabled', flag],
  ['IsCloudBackupEnabled', 'ios.iCloud Backup Is Enabled', flag],
  ['LastCloudBackupDate', 'ios.LastCloudBackupDate', instant],
  ['iTunesStoreAccountIsActive', 'ios.iTunesStoreAccountIsActive', flag],
  ['iTunesStoreAccountHash', 'ios.iTunesStoreAccountHash', text],
  ['OrganizationInfo', 'ios.OrganizationInfo', nameIn('OrganizationName')],
  ['AwaitingConfiguration', 'ios.AwaitingConfiguration', flag],
  ['SystemIntegrityProtectionEnabled', 'ios.SystemIntegrityProtectionEnabled', flag],
  ['LocalHostName', 'ios.LocalHostName', text],
  ['HostName', 'ios.HostName', text],
  ['EASDeviceIdentifier', 'ios.EASDeviceIdentifier', text],
  ['SoftwareUpdateDeviceID', 'ios.SoftwareUpdateDeviceID', text],
  ['DiagnosticSubmissionEnabled', 'ios.DiagnosticSubmissionEnabled', flag],
  ['AppAnalyticsEnabled', 'ios.AppAnalyticsEnabled', flag],
  ['TimeZone', 'ios.TimeZone', text],
  ['Languages', 'ios.Languages', texts],
  ['Locales', 'ios.Locales', texts],
  ['MaximumResidentUsers', 'ios.MaximumResidentUsers', number],
  ['EstimatedResidentUsers', 'ios.allocated_resident_users', number],
  ['ResidentUsers', 'ios.active_resident_users', number],
  ['QuotaSize', 'ios.QuotaSize', number],
  ['UserSessionTimeout', 'ios.UserSessionTimeout', number],
  ['TemporarySessionTimeout', 'ios.temporary_session_timeout', number],
  ['TemporarySessionOnly', 'ios.temporary_session_only', flag],
];

/**
 * Reads a `DeviceInformation` response.
 *
 * Keys that the device left out stay unknown; values of a wrong type are left out. Storage is in bytes: devices report
 * 10^9 bytes per unit, Macs up to macOS 11 2^30.
 *
 * @param value The response as decoded (`readResponse(…).value`).
 * @example
 * deviceInformationFacts(response.value)['common.os_version']; // '18.3'
 */
export function deviceInformationFacts(value: PlistDict): Facts {
  const { QueryResponses: answers } = value;
  if (!isDict(answers)) return {};
  const facts: FactSink = {};
  for (const [key, token, convert] of keys) {
    const answer = answers[key];
    if (answer === undefined) continue;
    const fact = convert(answer);
    if (fact !== undefined) facts[token] = fact;
  }
  const productName = optionalText(answers['ProductName']);
  const osVersion = optionalText(answers['OSVersion']);
  addPlatform(facts, productName, osVersion);
  addStorage(facts, answers);
  addSubscriptions(facts, answers['ServiceSubscriptions']);
  const language = facts['ios.Languages'];
  if (Array.isArray(language) && typeof language[0] === 'string') facts['common.language'] = language[0];
  return facts;
}

function optionalText(value: PlistValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function addStorage(facts: FactSink, answers: PlistDict): void {
  const major = Number.parseInt(optionalText(answers['OSVersion']) ?? '', 10);
  const unit = facts['common.platform'] === 'macOS' && major <= 11 ? 2 ** 30 : 1e9;
  const capacity = numberOf(answers['DeviceCapacity']);
  const free = numberOf(answers['AvailableDeviceCapacity']);
  if (capacity !== undefined && capacity >= 0) facts['common.storage_capacity'] = Math.round(capacity * unit);
  if (free !== undefined && free >= 0) facts['common.storage_free'] = Math.round(free * unit);
}

const simKeys: readonly (readonly [key: string, token: string])[] = [
  ['EID', 'sim_eid'],
  ['Label', 'sim_label'],
  ['PhoneNumber', 'sim_phone_number'],
  ['CurrentMCC', 'sim_mcc'],
  ['CurrentMNC', 'sim_mnc'],
];

/** The first three SIMs each have their fields; the first one fills what a device with one SIM reports at the top. */
function addSubscriptions(facts: FactSink, value: PlistValue | undefined): void {
  if (!Array.isArray(value)) return;
  const sims = value.filter(isDict);
  facts['ios.sims'] = sims.length;
  sims.slice(0, 3).forEach((sim, index) => {
    for (const [key, token] of simKeys) {
      const text = sim[key];
      if (typeof text === 'string' && text !== '') facts[`ios.${token}_${index + 1}`] = text;
    }
  });
  const preferred = sims.find((sim) => sim['IsDataPreferred'] === true) ?? sims[0];
  if (preferred === undefined) return;
  const fill = (token: string, fact: PlistValue | undefined): void => {
    if (facts[token] !== undefined && facts[token] !== null) return;
    if (typeof fact === 'string' || typeof fact === 'boolean') facts[token] = fact === '' ? null : fact;
  };
  fill('common.current_operator_name', preferred['CurrentCarrierNetwork']);
  fill('common.current_phone_number', preferred['PhoneNumber']);
  fill('common.imei', preferred['IMEI']);
  fill('common.roaming', preferred['IsRoaming']);
  fill('ios.iPhone ICCID', preferred['ICCID']);
  fill('ios.Current MCC', preferred['CurrentMCC']);
  fill('ios.Current MNC', preferred['CurrentMNC']);
  fill('ios.CarrierSettingsVersion', preferred['CarrierSettingsVersion']);
}
