// The actions that are the same commands on every device: switches, time zone, wallpaper, system apps, power.
import type { ActionParameters } from '../api/actions.ts';
import { createRecipes } from '../recipes/run.ts';
import { type ActionDefinition, against, badParameters, REACHABLE } from './types.ts';

const plain = { bulk: true, destructive: false, notifies: 'off', statuses: REACHABLE } as const;

const setting = (item: Readonly<Record<string, unknown>>) => [
  { requestType: 'Settings', payload: { Settings: [item] } },
];

/** Personal hotspot. */
export const hotspot: ActionDefinition<ActionParameters['hotspot']> = {
  ...plain,
  sample: { enabled: true },
  commands: ({ enabled }) => setting({ Item: 'PersonalHotspot', Enabled: enabled }),
};

/** Bluetooth. */
export const bluetooth: ActionDefinition<ActionParameters['bluetooth']> = {
  ...plain,
  sample: { enabled: true },
  commands: ({ enabled }) => setting({ Item: 'Bluetooth', Enabled: enabled }),
};

function knownZone(name: string): string {
  // As guides print them: spaces round the slash.
  const timeZone = name.replaceAll(/\s*\/\s*/g, '/').trim();
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw badParameters(`${JSON.stringify(name.slice(0, 100))} is no time zone of the IANA database`, '/timeZone');
  }
  // Intl knows offsets too, which the device does not.
  if (/^[+-]/.test(timeZone)) throw badParameters('an offset is no time zone', '/timeZone');
  return timeZone;
}

/** Time zone. */
export const timeZone: ActionDefinition<ActionParameters['time-zone']> = {
  ...plain,
  sample: { timeZone: 'GMT' },
  check: (parameters) => void knownZone(parameters.timeZone),
  guard({ facts }) {
    const on = facts['ios.restrictions_on'];
    if (!Array.isArray(on) || !on.includes('forceAutomaticDateAndTime')) return null;
    return against(
      'automatic_time',
      'a restriction forces automatic date and time, so the device would refuse it',
      'Take the restriction away first.',
    );
  },
  commands: (parameters) => setting({ Item: 'TimeZone', TimeZone: knownZone(parameters.timeZone) }),
};

const MAX_IMAGES = 10_000_000;

function isImage(bytes: Uint8Array): boolean {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  const jpeg = [0xff, 0xd8, 0xff];
  return [png, jpeg].some((magic) => magic.every((byte, index) => bytes[index] === byte));
}

/** Wallpaper. */
export const wallpaper: ActionDefinition<ActionParameters['wallpaper']> = {
  ...plain,
  sample: { image: new Uint8Array(0) },
  check({ image, home, lock }) {
    const images = Object.entries({ image, home, lock }).flatMap(([name, bytes]) => (bytes ? [{ name, bytes }] : []));
    if ((image === undefined) === (home === undefined && lock === undefined)) {
      throw badParameters('give one image for both screens, or one for each', '/image');
    }
    for (const { name, bytes } of images) {
      if (!isImage(bytes)) throw badParameters('the image is neither PNG nor JPEG', `/${name}`);
    }
    if (images.reduce((sum, { bytes }) => sum + bytes.length, 0) > MAX_IMAGES) {
      throw badParameters('the images have more than 10 MB', '/image');
    }
  },
  commands({ image, home, lock }) {
    const where = [
      [image, 3],
      [lock, 1],
      [home, 2],
    ] as const;
    const items = where.flatMap(([Image, Where]) => (Image === undefined ? [] : [{ Item: 'Wallpaper', Image, Where }]));
    return [{ requestType: 'Settings', payload: { Settings: items } }];
  },
};

/** Apple's apps. */
export const installSystemApps: ActionDefinition<ActionParameters['system-apps']> = {
  ...plain,
  sample: { bundleIds: ['com.apple.Maps'] },
  guard({ facts }) {
    const platform = facts['common.platform'];
    if (platform === 'iOS' || platform === 'iPadOS' || platform === undefined) return null;
    return against(
      'platform',
      `this is for iPhones and iPads, not for ${String(platform)}`,
      'Install the app otherwise.',
    );
  },
  check({ bundleIds }) {
    if (bundleIds.length === 0 || bundleIds.length > 100) throw badParameters('name 1 to 100 apps', '/bundleIds');
    const odd = bundleIds.findIndex((id) => !/^com\.apple\.[A-Za-z0-9.-]{1,100}$/.test(id));
    if (odd >= 0) throw badParameters("only apps of Apple's own: com.apple.…", `/bundleIds/${odd}`);
  },
  commands: ({ bundleIds }) =>
    [...new Set(bundleIds)].map((Identifier) => ({ requestType: 'InstallApplication', payload: { Identifier } })),
};

/** Encryption and passcode. */
export const encryption: ActionDefinition<ActionParameters['encryption-status']> = {
  ...plain,
  sample: {},
  commands: () => [{ requestType: 'SecurityInfo', payload: {} }],
};

const OFF_WIFI = 'Unless its passcode is cleared, the device stays off its Wi-Fi until somebody unlocks it.';

function power<P extends ActionParameters['restart']>(
  requestType: 'RestartDevice' | 'ShutDownDevice',
  operation: 'restart' | 'shutdown',
  warnings: readonly string[],
): ActionDefinition<P> {
  return {
    ...plain,
    needs: ({ clearPasscode }) => (clearPasscode === true ? ['ClearPasscode', requestType] : [requestType]),
    warn: ({ facts }, { clearPasscode }) => [
      ...warnings,
      ...(clearPasscode === true || facts['ios.PasscodePresent'] !== true ? [] : [OFF_WIFI]),
    ],
    commands: ({ clearPasscode, notifyUser }) =>
      clearPasscode === true
        ? null
        : [{ requestType, payload: notifyUser === undefined ? {} : { NotifyUser: notifyUser } }],
    async run(context, { enrolment }, _parameters, { actor = 'admin', force = false }) {
      const how = { origin: actor, force };
      const run = await createRecipes(context).start(enrolment.id, 'clear-passcode-restart', { operation }, how);
      return { commandUuids: run.step === null ? [] : [run.step.commandUuid] };
    },
  };
}

/** Restart. */
export const restart = power<ActionParameters['restart']>('RestartDevice', 'restart', []);

/** Shut down. */
export const shutDown = power<ActionParameters['shut-down']>('ShutDownDevice', 'shutdown', [
  'Somebody has to turn the device on again.',
]);
