// Models, systems and apps for devices that look like real ones. Names are Apple's product identifiers.
import { SimulatorError } from './errors.ts';

/** The kinds of device that can be simulated. */
export type DeviceKind = 'iPhone' | 'iPad' | 'Mac' | 'AppleTV' | 'Watch' | 'VisionPro';

/** The operating system of a kind of device. */
export type Platform = 'iOS' | 'macOS' | 'tvOS' | 'visionOS' | 'watchOS';

/** A model. */
export interface Model {
  /** e.g. `iPhone15,2`. */
  readonly productName: string;
  /** What the device reports as `ModelName`. */
  readonly modelName: string;
  /** What the device reports as `Model`. */
  readonly model: string;
  /** Gigabytes. */
  readonly capacities: readonly number[];
  readonly cellular: boolean;
  /** The system that it came with: it runs no older one. */
  readonly firstVersion: string;
  /** With an Intel processor; such a model is not drawn by chance. */
  readonly intel?: true;
}

const models: { readonly [K in DeviceKind]: readonly Model[] } = {
  iPhone: [
    {
      productName: 'iPhone12,1',
      modelName: 'iPhone',
      model: 'MWLT2LL',
      capacities: [64, 128],
      cellular: true,
      firstVersion: '13.0',
    },
    {
      productName: 'iPhone14,5',
      modelName: 'iPhone',
      model: 'MLPF3LL',
      capacities: [128, 256],
      cellular: true,
      firstVersion: '15.0',
    },
    {
      productName: 'iPhone15,2',
      modelName: 'iPhone',
      model: 'MQ0E3LL',
      capacities: [128, 256, 512],
      cellular: true,
      firstVersion: '16.0',
    },
    {
      productName: 'iPhone16,1',
      modelName: 'iPhone',
      model: 'MTUX3LL',
      capacities: [128, 256, 512],
      cellular: true,
      firstVersion: '17.0',
    },
  ],
  iPad: [
    {
      productName: 'iPad12,1',
      modelName: 'iPad',
      model: 'MK2K3LL',
      capacities: [64, 256],
      cellular: false,
      firstVersion: '15.0',
    },
    {
      productName: 'iPad13,16',
      modelName: 'iPad',
      model: 'MM9C3LL',
      capacities: [64, 256],
      cellular: false,
      firstVersion: '15.4',
    },
    {
      productName: 'iPad14,6',
      modelName: 'iPad',
      model: 'MP1X3LL',
      capacities: [128, 256, 512],
      cellular: true,
      firstVersion: '16.1',
    },
  ],
  Mac: [
    {
      productName: 'MacBookAir10,1',
      modelName: 'MacBook Air',
      model: 'MacBookAir10,1',
      capacities: [256, 512],
      cellular: false,
      firstVersion: '11.0',
    },
    {
      productName: 'Mac14,2',
      modelName: 'MacBook Air',
      model: 'Mac14,2',
      capacities: [256, 512],
      cellular: false,
      firstVersion: '12.4',
    },
    {
      productName: 'Mac14,12',
      modelName: 'Mac mini',
      model: 'Mac14,12',
      capacities: [512, 1000],
      cellular: false,
      firstVersion: '13.2',
    },
    {
      productName: 'Mac15,6',
      modelName: 'MacBook Pro',
      model: 'Mac15,6',
      capacities: [512, 1000],
      cellular: false,
      firstVersion: '14.1',
    },
    {
      productName: 'MacBookPro16,1',
      modelName: 'MacBook Pro',
      model: 'MacBookPro16,1',
      capacities: [512, 1000],
      cellular: false,
      firstVersion: '10.15',
      intel: true,
    },
  ],
  AppleTV: [
    {
      productName: 'AppleTV11,1',
      modelName: 'Apple TV',
      model: 'MXGY2LL',
      capacities: [32, 64],
      cellular: false,
      firstVersion: '14.5',
    },
    {
      productName: 'AppleTV14,1',
      modelName: 'Apple TV',
      model: 'MN873LL',
      capacities: [64, 128],
      cellular: false,
      firstVersion: '16.1',
    },
  ],
  Watch: [
    {
      productName: 'Watch7,1',
      modelName: 'Apple Watch',
      model: 'MR9J3LL',
      capacities: [64],
      cellular: false,
      firstVersion: '10.0',
    },
    {
      productName: 'Watch7,5',
      modelName: 'Apple Watch',
      model: 'MRE93LL',
      capacities: [64],
      cellular: true,
      firstVersion: '10.0',
    },
  ],
  VisionPro: [
    {
      productName: 'RealityDevice14,1',
      modelName: 'Apple Vision Pro',
      model: 'MQL83LL',
      capacities: [256, 512, 1000],
      cellular: false,
      firstVersion: '1.0',
    },
  ],
};

/** Systems with their build numbers, oldest first. */
const systems: { readonly [P in Platform]: readonly (readonly [version: string, build: string])[] } = {
  iOS: [
    ['16.7.10', '20H350'],
    ['17.7.2', '21H221'],
    ['18.1.1', '22B91'],
    ['18.2.1', '22C161'],
    ['18.3', '22D63'],
  ],
  macOS: [
    ['13.7.4', '22H420'],
    ['14.7.4', '23H420'],
    ['15.2', '24C101'],
    ['15.3', '24D60'],
  ],
  tvOS: [
    ['17.6.1', '21M80'],
    ['18.2.1', '22K160'],
    ['18.3', '22K557'],
  ],
  visionOS: [
    ['2.1', '22N581'],
    ['2.2', '22N842'],
    ['2.3', '22N896'],
  ],
  watchOS: [
    ['10.6.1', '21U580'],
    ['11.2', '22S99'],
    ['11.3', '22S555'],
  ],
};

/** The models of a kind. */
export function modelsOf(kind: DeviceKind): readonly Model[] {
  return models[kind];
}

/**
 * A model by its product name.
 * @throws SimulatorError `simulator.option`
 */
export function modelNamed(kind: DeviceKind, productName: string): Model {
  const model = models[kind].find((item) => item.productName === productName);
  if (model === undefined) {
    const known = models[kind].map((item) => item.productName).join(', ');
    throw new SimulatorError('simulator.option', `no ${kind} is called ${productName}; known are ${known}`);
  }
  return model;
}

/** Whether a Mac has Apple's own processor. */
export function isAppleSilicon(productName: string): boolean {
  return models.Mac.find((item) => item.productName === productName)?.intel !== true;
}

const platforms: { readonly [K in DeviceKind]: Platform } = {
  iPhone: 'iOS',
  iPad: 'iOS',
  Mac: 'macOS',
  AppleTV: 'tvOS',
  Watch: 'watchOS',
  VisionPro: 'visionOS',
};

/** The operating system of a kind. */
export function platformOf(kind: DeviceKind): Platform {
  return platforms[kind];
}

/** The versions that a platform's devices run, oldest first. */
export function versionsOf(platform: Platform): readonly string[] {
  return systems[platform].map(([version]) => version);
}

/** The build of a version: the real one where it is known, else one that looks alike. */
export function buildOf(platform: Platform, version: string): string {
  const known = systems[platform].find(([item]) => item === version);
  if (known !== undefined) return known[1];
  const [major = 18, minor = 0, patch = 0] = version.split('.').map(Number);
  const offset = { iOS: 4, macOS: 9, tvOS: 4, visionOS: 20, watchOS: 11 }[platform];
  return `${(major || 18) + offset}${String.fromCharCode(65 + ((minor || 0) % 26))}${100 + (patch || 0)}`;
}

/** Compares dotted versions: negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** An app on a simulated device. */
export interface SimulatedApp {
  readonly identifier: string;
  readonly name: string;
  readonly version: string;
  readonly shortVersion: string;
  /** Bytes. */
  readonly bundleSize: number;
  /** Installed by MDM. */
  readonly managed?: boolean;
  readonly appStore?: boolean;
}

const app = (identifier: string, name: string, shortVersion: string, megabytes: number): SimulatedApp => ({
  identifier,
  name,
  shortVersion,
  version: `${shortVersion}.${megabytes}`,
  bundleSize: megabytes * 1_000_000,
  appStore: true,
});

/** Apps that devices of a platform may have. */
export const appCatalogue: { readonly [P in Platform]: readonly SimulatedApp[] } = {
  iOS: [
    app('com.apple.Pages', 'Pages', '14.2', 420),
    app('com.apple.Numbers', 'Numbers', '14.2', 390),
    app('com.apple.Keynote', 'Keynote', '14.2', 440),
    app('com.microsoft.Office.Outlook', 'Outlook', '4.2450.0', 310),
    app('com.microsoft.skype.teams', 'Teams', '6.24.0', 280),
    app('com.google.chrome.ios', 'Chrome', '131.0', 190),
    app('us.zoom.videomeetings', 'Zoom', '6.3.0', 220),
    app('com.tinyspeck.chatlyio', 'Slack', '24.12.0', 240),
  ],
  macOS: [
    app('com.apple.dt.Xcode', 'Xcode', '16.2', 3200),
    app('com.microsoft.Word', 'Microsoft Word', '16.93', 1300),
    app('com.google.Chrome', 'Google Chrome', '131.0', 600),
    app('org.mozilla.firefox', 'Firefox', '133.0', 400),
    app('com.tinyspeck.slackmacgap', 'Slack', '4.41', 270),
    app('us.zoom.xos', 'zoom.us', '6.3.0', 320),
  ],
  tvOS: [app('com.apple.Keynote.tv', 'Keynote', '14.2', 210), app('us.zoom.tv', 'Zoom', '6.3.0', 120)],
  visionOS: [
    app('com.apple.Keynote', 'Keynote', '14.2', 440),
    app('com.microsoft.Office.Word', 'Word', '2.92', 300),
    app('us.zoom.videomeetings', 'Zoom', '6.3.0', 220),
  ],
  watchOS: [app('com.microsoft.Office.Outlook.watchkitapp', 'Outlook', '4.2450.0', 30)],
};
