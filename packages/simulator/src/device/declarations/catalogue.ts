// What devices know of declarations: types, first versions, and the keys of their payloads. Facts of Apple's schema
// (declarative/declarations, 18.3 with what OS 27 adds), one line each: type | first versions | key, ! when required, type.
import { compareVersions, type Platform } from '../../catalogue.ts';

const table = `
com.apple.activation.simple | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | StandardConfigurations!:array; Predicate:string
com.apple.asset.credential.acme | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary; Accessible:string
com.apple.asset.credential.certificate | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary
com.apple.asset.credential.identity | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary; Accessible:string
com.apple.asset.credential.scep | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary; Accessible:string
com.apple.asset.credential.userpassword | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary
com.apple.asset.data | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | Reference!:dictionary; Authentication:dictionary
com.apple.asset.useridentity | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | FullName:string; EmailAddress:string
com.apple.configuration.accessibility.settings | iOS 27.0, macOS 27.0, visionOS 27.0 | Vision:dictionary
com.apple.configuration.account.caldav | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; HostName!:string; Port:integer; Path:string; AuthenticationCredentialsAssetReference:string
com.apple.configuration.account.carddav | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; HostName!:string; Port:integer; Path:string; AuthenticationCredentialsAssetReference:string
com.apple.configuration.account.exchange | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; EnabledProtocolTypes!:array; UserIdentityAssetReference:string; HostName:string; Port:integer; Path:string; ExternalHostName:string; ExternalPort:integer; External Path:string; OAuth:dictionary; AuthenticationCredentialsAssetReference:string; AuthenticationIdentityAssetReference:string; SMIME:dictionary; MailServiceActive:boolean; LockMailService:boolean; ContactsServiceActive:boolean; LockContactsService:boolean; CalendarServiceActive:boolean; LockCalendarService:boolean; RemindersServiceActive:boolean; LockRemindersService:boolean; NotesServiceActive:boolean; LockNotesService:boolean
com.apple.configuration.account.google | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; UserIdentityAssetReference!:string
com.apple.configuration.account.ldap | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; HostName!:string; Port:integer; AuthenticationCredentialsAssetReference:string; SearchSettings:array
com.apple.configuration.account.mail | iOS 15.0, macOS 13.0, visionOS 1.1 | VisibleName:string; UserIdentityAssetReference:string; IncomingServer!:dictionary; OutgoingServer!:dictionary; SMIME:dictionary
com.apple.configuration.account.subscribed-calendar | iOS 15.0, macOS 14.0, visionOS 1.1 | VisibleName:string; CalendarURL!:string; AuthenticationCredentialsAssetReference:string
com.apple.configuration.app.managed | iOS 17.2, macOS 26.0, visionOS 2.4 | AppStoreID:string; BundleID:string; ManifestURL:string; AppComposedIdentifier:string; iOSApp:boolean; InstallBehavior:dictionary; UpdateBehavior:dictionary; IncludeInBackup:boolean; Attributes:dictionary; AppConfig:dictionary; ExtensionConfigs:dictionary; LegacyAppConfigAssetReference:string
com.apple.configuration.app.settings | iOS 27.0, macOS 27.0, tvOS 27.0, visionOS 27.0 | Allowed:dictionary; Privacy:dictionary
com.apple.configuration.audio-accessory.settings | iOS 26.0 | TemporaryPairing:dictionary
com.apple.configuration.diskmanagement.settings | macOS 15.0 | Restrictions:dictionary
com.apple.configuration.extensible-sso | iOS 27.0, macOS 27.0, visionOS 27.0 | ExtensionComposedIdentifier!:string; Type!:string; Realm:string; ExtensionData:dictionary; URLs:array; Hosts:array; DeniedBundleIdentifiers:array; ScreenLockedBehavior:string; PlatformSSO:dictionary
com.apple.configuration.intelligence.settings | iOS 26.4, macOS 26.4, visionOS 26.4 | AllowAppleIntelligenceReport:boolean; AllowGenmoji:boolean; AllowImagePlayground:boolean; AllowImageWand:boolean; AllowPersonalizedHandwritingResults:boolean; AllowVisualIntelligenceSummary:boolean; AllowWritingTools:boolean; Apps:dictionary; ForceOnDeviceOnlyDictation:boolean; ForceOnDeviceOnlyTranslation:boolean; AllowVisualIntelligence:any
com.apple.configuration.legacy | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | ProfileURL!:string; ProfileAssetReference:any
com.apple.configuration.legacy.interactive | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1 | ProfileURL!:string; VisibleName!:string; ProfileAssetReference:any
com.apple.configuration.management.status-subscriptions | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | StatusItems!:array
com.apple.configuration.management.test | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | Echo!:string; EchoDataAssetReference:string; ReturnStatus:string
com.apple.configuration.math.settings | iOS 18.0, macOS 15.0 | Calculator:dictionary; SystemBehavior:dictionary
com.apple.configuration.network.dns-proxy | iOS 27.0, macOS 27.0, visionOS 27.0 | VisibleName!:string; AppBundleIdentifier!:string; ProviderComposedIdentifier:string; ProviderConfiguration:dictionary; DNSProxyUUID:string
com.apple.configuration.network.dns-settings | iOS 27.0, macOS 27.0, visionOS 27.0 | VisibleName!:string; DNSSettings!:dictionary; OnDemandRules:array; ProhibitDisablement:boolean
com.apple.configuration.network.relay | iOS 27.0, macOS 27.0, visionOS 27.0 | VisibleName!:string; Relays!:array; MatchDomains:array; ExcludedDomains:array; MatchFQDNs:array; ExcludedFQDNs:array; RelayUUID:string; UIToggleEnabled:boolean; AllowDNSFailover:boolean
com.apple.configuration.network.vpn.always-on | iOS 27.0, visionOS 27.0 | VisibleName!:string; UIToggleEnabled:boolean; TunnelConfigurations!:array; ServiceExceptions:array; ApplicationExceptions:array; AllowCaptiveWebSheet:boolean; AllowAllCaptiveNetworkPlugins:boolean; AllowedCaptiveNetworkPlugins:array; DNS:dictionary; Proxies:dictionary
com.apple.configuration.network.vpn.ikev2 | iOS 27.0, macOS 27.0, tvOS 27.0, visionOS 27.0 | VisibleName!:string; HostName!:string; LocalIdentifier!:string; RemoteIdentifier!:string; Authentication!:dictionary; Provider:dictionary; NetworkRouting:dictionary; Idle:dictionary; OnDemand:dictionary; UseConfigurationAttributeInternalIPSubnet:boolean; DisableMOBIKE:boolean; DisableRedirect:boolean; EnableNATKeepAliveOffload:boolean; NATKeepAliveInterval:integer; EnablePFS:boolean; EnableCertificateRevocationCheck:boolean; EnableFallback:boolean; MTU:integer; EnforceStrictAlgorithmSelection:boolean; PostQuantumKeyExchange:dictionary; IKESecurityAssociationParameters:dictionary; ChildSecurityAssociationParameters:dictionary; DNS:dictionary; Proxies:dictionary
com.apple.configuration.network.vpn.ipsec | iOS 27.0, macOS 27.0, visionOS 27.0 | VisibleName!:string; HostName!:string; OverridePrimary:boolean; Authentication!:dictionary; Idle:dictionary; OnDemand:dictionary; DNS:dictionary; Proxies:dictionary
com.apple.configuration.network.vpn.vpn-plugin | iOS 27.0, macOS 27.0, tvOS 27.0, visionOS 27.0 | VisibleName!:string; HostName!:string; SubType!:string; VendorConfig:dictionary; Authentication!:dictionary; Provider:dictionary; NetworkRouting:dictionary; Idle:dictionary; OnDemand:dictionary; DNS:dictionary; Proxies:dictionary
com.apple.configuration.package | macOS 26.0 | ManifestURL!:string; InstallBehavior:dictionary; UninstallBehavior:any
com.apple.configuration.passcode.settings | iOS 15.0, macOS 13.0, visionOS 2.0, watchOS 10.0 | RequirePasscode:boolean; RequireAlphanumericPasscode:boolean; RequireComplexPasscode:boolean; MinimumLength:integer; MinimumComplexCharacters:integer; MaximumFailedAttempts:integer; FailedAttemptsResetInMinutes:integer; MaximumGracePeriodInMinutes:integer; MaximumInactivityInMinutes:integer; MaximumPasscodeAgeInDays:integer; PasscodeReuseLimit:integer; ChangeAtNextAuth:boolean; CustomRegex:dictionary
com.apple.configuration.safari.extensions.settings | iOS 18.0, macOS 15.0 | ManagedExtensions:dictionary
com.apple.configuration.safari.settings | iOS 26.0, macOS 26.0, visionOS 26.0 | AcceptCookies:string; AllowDisablingFraudWarning:boolean; AllowHistoryClearing:boolean; AllowJavaScript:boolean; AllowPrivateBrowsing:boolean; AllowPopups:boolean; AllowSummary:boolean; NewTabStartPage:dictionary; Privacy:dictionary
com.apple.configuration.screensharing.connection | macOS 14.0 | ConnectionUUID!:string; DisplayName!:string; HostName!:string; Port:integer; DisplayConfiguration!:dictionary; AuthenticationCredentialsAssetReference:string
com.apple.configuration.screensharing.connection.group | macOS 14.0 | ConnectionGroupUUID!:string; GroupName!:string; Members!:array
com.apple.configuration.screensharing.host.settings | macOS 14.0 | MaximumVirtualDisplays:integer; PortBase:integer; PreventCopyFilesFromHost:boolean; PreventCopyFilesToHost:boolean; PreventHighPerformanceConnections:boolean
com.apple.configuration.security.certificate | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | CredentialAssetReference!:string
com.apple.configuration.security.identity | iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.1, watchOS 10.0 | CredentialAssetReference!:string; AllowAllAppsAccess:boolean; KeyIsExtractable:boolean
com.apple.configuration.security.passkey.attestation | iOS 17.0, macOS 14.0 | AttestationIdentityAssetReference!:string; AttestationIdentityKeyIsExtractable:boolean; RelyingParties!:array
com.apple.configuration.services.background-tasks | macOS 15.0 | TaskType!:string; TaskDescription:string; ExecutableAssetReference:string; LaunchdConfigurations:array
com.apple.configuration.services.configuration-files | macOS 14.0 | ServiceType!:string; DataAssetReference!:string
com.apple.configuration.siri.settings | iOS 26.4, macOS 26.4, tvOS 27.0, visionOS 26.4, watchOS 26.4 | Enabled:boolean; AllowSiriAI:boolean; AllowUserGeneratedContent:boolean; AllowWhileLocked:boolean; ForceProfanityFilter:boolean; ForceReduceSensitiveContent:boolean
com.apple.configuration.softwareupdate.enforcement.specific | iOS 17.0, macOS 14.0 | TargetOSVersion!:string; TargetBuildVersion:string; TargetLocalDateTime!:string; DetailsURL:string
com.apple.configuration.softwareupdate.settings | iOS 18.0, macOS 15.0 | Notifications:boolean; Deferrals:dictionary; RecommendedCadence:string; AutomaticActions:dictionary; RapidSecurityResponse:dictionary; AllowStandardUserOSUpdates:boolean; Beta:dictionary
com.apple.configuration.watch.enrollment | iOS 17.0 | EnrollmentProfileURL!:string; AnchorCertificateAssetReferences:array
com.apple.configuration.webcontent-filter.plugin | iOS 27.0, macOS 27.0, visionOS 27.0 | VisibleName!:string; PluginBundleID!:string; ContentFilterUUID:string; ServerAddress:string; Organization:string; VendorConfig:dictionary; Authentication:dictionary; Filter:dictionary
com.apple.management.organization-info | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | Name!:string; Email:string; URL:string; Proof:dictionary
com.apple.management.properties | iOS 16.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | *
com.apple.management.server-capabilities | iOS 15.0, macOS 13.0, tvOS 16.0, visionOS 1.1, watchOS 10.0 | Version!:string; SupportedFeatures!:dictionary
`;

/** One key of a payload. */
export interface PayloadKey {
  readonly name: string;
  readonly required: boolean;
  readonly type: string;
}

/** One type of declaration. */
export interface DeclarationType {
  readonly name: string;
  /** First version by platform. */
  readonly os: { readonly [platform: string]: string };
  readonly keys: readonly PayloadKey[];
  /** Any other key may be there. */
  readonly open: boolean;
}

let types: ReadonlyMap<string, DeclarationType> | undefined;

/** All types, by name. */
export function declarationTypes(): ReadonlyMap<string, DeclarationType> {
  types ??= new Map(
    table
      .trim()
      .split('\n')
      .map(readLine)
      .map((type) => [type.name, type]),
  );
  return types;
}

function readLine(line: string): DeclarationType {
  const [name = '', os = '', keys = ''] = line.split(' | ');
  const words = keys
    .split(';')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  return {
    name: name.trim(),
    os: Object.fromEntries(
      os
        .split(', ')
        .filter((one) => one !== '')
        .map((one) => one.split(' ') as [string, string]),
    ),
    keys: words
      .filter((word) => word !== '*')
      .map((word) => {
        const [key = '', type = ''] = word.split(':');
        return { name: key.replace('!', ''), required: key.endsWith('!'), type };
      }),
    open: words.includes('*'),
  };
}

/** The types that a device takes. */
export function typesOf(platform: Platform, osVersion: string): readonly string[] {
  return [...declarationTypes().values()]
    .filter(({ os }) => os[platform] !== undefined && compareVersions(osVersion, os[platform]) >= 0)
    .map((type) => type.name);
}

/** The kinds of declaration, with the names of their lists in manifests and in status reports. */
export const kinds = [
  { kind: 'activation', items: 'Activations', states: 'activations' },
  { kind: 'asset', items: 'Assets', states: 'assets' },
  { kind: 'configuration', items: 'Configurations', states: 'configurations' },
  { kind: 'management', items: 'Management', states: 'management' },
] as const;

/** One of the four kinds. */
export type Kind = (typeof kinds)[number]['kind'];

/** Whether a JSON value is of a type of the schema. */
export function isOfType(value: unknown, type: string): boolean {
  if (type === 'any') return true;
  if (type === 'array') return Array.isArray(value);
  if (type === 'dictionary') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'real') return typeof value === 'number';
  return typeof value === (type === 'boolean' ? 'boolean' : 'string');
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
