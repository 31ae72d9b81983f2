// Commands for apps: install, remove, and what managed apps are told and tell.
import { decodeDict, encodeXml, type PlistValue } from '@espalier/plist';
import { managedOf } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import { type DeviceState, fromBase64, toBase64 } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for apps. */
export const appHandlers: Handlers = {
  InstallApplication: { run: installApp },
  InstallEnterpriseApplication: { run: installEnterpriseApp },
  RemoveApplication: { run: removeApp },
  ManagedApplicationList: { run: managedApps },
  ValidateApplications: {
    run: ({ payload }) => (listOfTexts(payload['Identifiers'] ?? []) === undefined ? malformed : acknowledged()),
  },
  ApplyRedemptionCode: {
    run({ state, payload }) {
      const { Identifier: identifier, RedemptionCode: code } = payload;
      if (typeof identifier !== 'string' || typeof code !== 'string') return malformed;
      if (!isManaged(state, identifier)) return notManaged();
      return failed(mdmDomain, 12028, 'Not waiting for redemption'); // the store gives what is licensed at once
    },
  },
  ManagedApplicationConfiguration: {
    run: (context) =>
      ofApps(context, 'ApplicationConfigurations', 'Configuration', managedOf(context.state).appConfigurations),
  },
  ManagedApplicationAttributes: {
    run: (context) => ofApps(context, 'ApplicationAttributes', 'Attributes', managedOf(context.state).appAttributes),
  },
  // The simulated apps have nothing to say.
  ManagedApplicationFeedback: { run: (context) => ofApps(context, 'ManagedApplicationFeedback', 'Feedback', {}) },
  InviteToProgram: {
    run({ payload }) {
      const { ProgramID: program, InvitationURL: url } = payload;
      if (typeof program !== 'string' || typeof url !== 'string') return malformed;
      if (program !== 'com.apple.cloudvpp') return acknowledged({ InvitationResult: 'InvalidProgramID' });
      return acknowledged({ InvitationResult: URL.canParse(url) ? 'Acknowledged' : 'InvalidInvitationURL' });
    },
  },
  ActiveNSExtensions: {
    run: ({ payload }) => {
      const points = listOfTexts(payload['FilterExtensionPoints'] ?? []);
      if (points === undefined) return malformed;
      const shown = points.length === 0 || points.includes(extension.ExtensionPoint);
      return acknowledged({
        Extensions: shown
          ? [{ ...extension, Path: '/System/Library/CoreServices', UserElection: 'Default', Version: '1.0' }]
          : [],
      });
    },
  },
  NSExtensionMappings: { run: () => acknowledged({ Extensions: [extension] }) },
};

const extension = {
  DisplayName: 'Notes',
  ExtensionPoint: 'com.apple.share-services',
  Identifier: 'com.apple.Notes.SharingExtension',
};

function isManaged(state: DeviceState, identifier: string): boolean {
  return state.apps.some((app) => app.identifier === identifier && app.managed === true);
}

function notManaged(): CommandResult {
  return failed(mdmDomain, 12029, 'App not managed');
}

function listOfTexts(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

function installApp({ state, platform, payload }: CommandContext): CommandResult {
  const { iTunesStoreID: storeId, Identifier: bundle, ManifestURL: manifest } = payload;
  if (typeof manifest === 'string' && !manifest.startsWith('https:'))
    return failed(mdmDomain, 12034, 'URL is not HTTPS');
  const identifier =
    typeof bundle === 'string' ? bundle : typeof storeId === 'number' ? `com.example.store.${storeId}` : undefined;
  const known = identifier ?? (typeof manifest === 'string' ? appOf(manifest) : undefined);
  if (known === undefined) return malformed;
  const mac = platform === 'macOS';
  // A Mac installs anew, and manages what it is told to; the others manage all, or take over what the user has.
  const managed = !mac || payload['InstallAsManaged'] === true || payload['ChangeManagementState'] === 'Managed';
  if (!mac && isManaged(state, known)) return failed(mdmDomain, 12025, 'App already installed');
  keepApp(state, known, managed, typeof manifest !== 'string');
  keepForApp(state, 'appConfigurations', known, payload['Configuration']);
  keepForApp(state, 'appAttributes', known, payload['Attributes']);
  return acknowledged(mac ? {} : { Identifier: known, State: 'Installing' });
}

function installEnterpriseApp({ state, payload }: CommandContext): CommandResult {
  const { Manifest: manifest, ManifestURL: url } = payload;
  if (typeof url === 'string') {
    if (!url.startsWith('https:')) return failed(mdmDomain, 12034, 'URL is not HTTPS');
    if (!URL.canParse(url)) return failed(mdmDomain, 12030, 'Invalid URL');
  }
  const identifier = typeof url === 'string' ? appOf(url) : isDict(manifest) ? bundleIn(manifest['items']) : undefined;
  if (identifier === undefined) {
    return isDict(manifest) ? failed(mdmDomain, 12033, 'Invalid manifest') : malformed;
  }
  keepApp(state, identifier, payload['InstallAsManaged'] === true, false);
  keepForApp(state, 'appConfigurations', identifier, payload['Configuration']);
  return acknowledged();
}

/** Nothing is downloaded: the app is named after its server. */
function appOf(manifestUrl: string): string | undefined {
  return URL.canParse(manifestUrl) ? `com.example.${new URL(manifestUrl).hostname}` : undefined;
}

function bundleIn(items: PlistValue | undefined): string | undefined {
  const [first] = Array.isArray(items) ? items : [];
  const metadata = isDict(first) ? first['metadata'] : undefined;
  const bundle = isDict(metadata) ? metadata['bundle-identifier'] : undefined;
  return typeof bundle === 'string' ? bundle : undefined;
}

function keepApp(state: DeviceState, identifier: string, managed: boolean, appStore: boolean): void {
  state.apps = state.apps.filter((app) => app.identifier !== identifier);
  state.apps.push({
    identifier,
    name: identifier.split('.').at(-1)!,
    version: '1.0',
    shortVersion: '1.0',
    bundleSize: 50_000_000,
    managed,
    appStore,
  });
}

/** Keeps what an app is told or how it is treated; anything but a dictionary takes away what there was. */
export function keepForApp(
  state: DeviceState,
  what: 'appConfigurations' | 'appAttributes',
  app: string,
  value: PlistValue | undefined,
): void {
  const map = managedOf(state)[what];
  if (isDict(value)) {
    // Not by assignment: an app may call itself __proto__.
    Object.defineProperty(map, app, {
      value: toBase64(encodeXml(value)),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  } else delete map[app];
}

function ofApps(
  { state, payload }: CommandContext,
  list: string,
  key: string,
  kept: { readonly [identifier: string]: string },
): CommandResult {
  const identifiers = listOfTexts(payload['Identifiers']);
  if (identifiers === undefined) return malformed;
  const rows = identifiers
    .filter((identifier) => isManaged(state, identifier))
    .map((identifier) => ({
      ...(Object.hasOwn(kept, identifier) ? { [key]: decodeDict(fromBase64(kept[identifier]!)) } : {}),
      Identifier: identifier,
    }));
  return acknowledged({ [list]: rows });
}

function removeApp({ state, payload }: CommandContext): CommandResult {
  const { Identifier: identifier } = payload;
  if (typeof identifier !== 'string') return malformed;
  if (!isManaged(state, identifier)) return notManaged();
  state.apps = state.apps.filter((app) => app.identifier !== identifier);
  keepForApp(state, 'appConfigurations', identifier, undefined);
  keepForApp(state, 'appAttributes', identifier, undefined);
  return acknowledged();
}

function managedApps({ state, platform, payload }: CommandContext): CommandResult {
  const { Identifiers: wanted } = payload;
  const { appConfigurations } = managedOf(state);
  const list = state.apps.filter(
    (app) => app.managed === true && (!Array.isArray(wanted) || wanted.includes(app.identifier)),
  );
  return acknowledged({
    ManagedApplicationList: Object.fromEntries(
      list.map((app) => [
        app.identifier,
        {
          ExternalVersionIdentifier: 0,
          HasConfiguration: Object.hasOwn(appConfigurations, app.identifier),
          HasFeedback: false,
          ...(platform === 'macOS' ? {} : { IsValidated: true }),
          ManagementFlags: 0,
          Status: 'Managed',
          ...(platform === 'macOS' || platform === 'tvOS' ? {} : { UnusedRedemptionCode: '' }),
        },
      ]),
    ),
  });
}
