// Setup Assistant's panes that can be skipped, by platform and OS version, from Apple's schema.
import { compareVersions, effectiveSupport, schema } from '@espalier/apple-mdm';

/** Platforms that automated enrolment sets up. iPadOS is `iOS`. */
export type SetupPlatform = 'iOS' | 'macOS' | 'tvOS' | 'visionOS';

/** The platforms, in the schema's order. */
export const setupPlatforms: readonly SetupPlatform[] = ['iOS', 'macOS', 'tvOS', 'visionOS'];

/** A device, or many alike: where panes are to be skipped. */
export interface SetupTarget {
  readonly platform: SetupPlatform;
  /** Left out: any version. */
  readonly version?: string;
}

/** A pane, and where it is. */
export interface SkipItem {
  /** What goes into `skip_setup_items`. */
  readonly key: string;
  readonly support: readonly {
    readonly platform: SetupPlatform;
    /** First version with the pane. */
    readonly introduced: string;
    readonly deprecated?: string;
    /** First version without it. */
    readonly removed?: string;
    /** Whether it can be skipped on a device that was not enrolled automatically, too. */
    readonly alwaysSkippable: boolean;
  }[];
}

let items: readonly SkipItem[] | undefined;

/** All panes that Apple's schema knows (the keys of `SkipKeys`), in its order. */
export function skipItems(): readonly SkipItem[] {
  items ??= readItems();
  return items;
}

function readItems(): readonly SkipItem[] {
  const table = schema.other('SkipKeys');
  return (table?.keys ?? []).map((key) => {
    const support = effectiveSupport(table?.supportedOS, key.supportedOS);
    return {
      key: key.key,
      support: setupPlatforms.flatMap((platform) => {
        const facts = support[platform];
        if (facts?.introduced === undefined || facts.introduced === 'n/a') return [];
        return [
          {
            platform,
            introduced: facts.introduced,
            ...(facts.deprecated !== undefined && { deprecated: facts.deprecated }),
            ...(facts.removed !== undefined && { removed: facts.removed }),
            alwaysSkippable: facts['always-skippable'] === true,
          },
        ];
      }),
    };
  });
}

/** Whether a target has the pane. */
export function hasPane(item: SkipItem, target: SetupTarget): boolean {
  return item.support.some(
    ({ platform, introduced, removed }) =>
      platform === target.platform &&
      (target.version === undefined ||
        ((introduced === 'all' || compareVersions(target.version, introduced) >= 0) &&
          (removed === undefined || compareVersions(target.version, removed) < 0))),
  );
}

/**
 * The keys that skip something on a target: what «skip all» stands for there.
 * @example
 * skipKeysFor({ platform: 'macOS', version: '15.3' }); // ['Accessibility', 'Appearance', …]
 */
export function skipKeysFor(target: SetupTarget): readonly string[] {
  return skipItems()
    .filter((item) => hasPane(item, target))
    .map((item) => item.key);
}

/** Panes that make no sense without others: where the first is skipped, the others are, too (ADE-16). */
export const impliedSkips: Readonly<Record<string, readonly string[]>> = {
  AppleID: ['Payment'],
  Passcode: ['Payment', 'Biometric'],
  Biometric: ['Payment'],
};

/** The keys with those that they imply, each once, in the order of their first mention. */
export function withImpliedSkips(keys: readonly string[]): readonly string[] {
  const found = new Set(keys);
  for (const key of found) {
    for (const implied of Object.hasOwn(impliedSkips, key) ? impliedSkips[key]! : []) found.add(implied);
  }
  return [...found];
}
