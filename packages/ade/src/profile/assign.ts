// Which profile a device gets: rules by serial number, model, order and label, and the account's default.
import { AdeError } from '../errors.ts';

/** What is known of a device when a profile is chosen for it. */
export interface AssignableDevice {
  readonly serial_number: string;
  readonly model?: string;
  readonly device_family?: string;
  readonly os?: string;
  /** From the Apple Business or School Manager API; the device enrolment service does not tell. */
  readonly orderNumber?: string;
  /** Labels that the device is in. */
  readonly labels?: ReadonlySet<string>;
}

/** A rule. Of each condition that is given, one value must fit; all conditions that are given must. */
export interface AssignmentRule {
  readonly profileId: string;
  readonly serials?: readonly string[];
  /** As Apple writes them, capitals or not: `iPad`, `MacBook Air`. */
  readonly models?: readonly string[];
  /** `iPhone`, `iPad`, `Mac`, `AppleTV`, `Vision`. */
  readonly families?: readonly string[];
  readonly orders?: readonly string[];
  readonly labels?: readonly string[];
}

/** How an account chooses profiles. */
export interface AssignmentRules {
  /** The first that fits counts. */
  readonly rules: readonly AssignmentRule[];
  /** What devices get that no rule fits: at most one for each account. */
  readonly defaultProfileId?: string;
}

/** The profile for a device, and why. */
export interface AssignmentChoice {
  readonly profileId: string;
  /** The number of the rule, from 0; absent for the default. */
  readonly rule?: number;
}

/** Chooses profiles. */
export interface ProfileChooser {
  /** The profile for a device; undefined when nothing is meant for it. */
  choose(device: AssignableDevice): AssignmentChoice | undefined;
}

/**
 * Prepares rules, so that a choice takes the same time however many serial numbers they name.
 *
 * @throws AdeError `ade.rules.empty` for a rule without a condition: it would hide those after it.
 */
export function createProfileChooser({ rules, defaultProfileId }: AssignmentRules): ProfileChooser {
  const prepared = rules.map((rule, index) => {
    const { serials, models, families, orders, labels } = rule;
    if ([serials, models, families, orders, labels].every((list) => list === undefined)) {
      throw new AdeError('ade.rules.empty', 'an assignment rule needs a condition', {
        at: { path: `/rules/${index}` },
        remedy: 'Give the account a default profile for all other devices.',
      });
    }
    const fold = (list: readonly string[] | undefined): ReadonlySet<string> | undefined =>
      list && new Set(list.map((item) => item.trim().toLowerCase()));
    return {
      profileId: rule.profileId,
      serials: fold(serials),
      models: fold(models),
      families: fold(families),
      orders: fold(orders),
      labels: labels && new Set(labels),
    };
  });
  const fits = (set: ReadonlySet<string> | undefined, value: string | undefined): boolean =>
    set === undefined || (value !== undefined && set.has(value.toLowerCase()));
  return {
    choose(device) {
      const rule = prepared.findIndex(
        ({ serials, models, families, orders, labels }) =>
          fits(serials, device.serial_number) &&
          fits(models, device.model) &&
          fits(families, device.device_family) &&
          fits(orders, device.orderNumber) &&
          (labels === undefined || [...labels].some((label) => device.labels?.has(label))),
      );
      if (rule >= 0) return { profileId: prepared[rule]!.profileId, rule };
      return defaultProfileId === undefined ? undefined : { profileId: defaultProfileId };
    },
  };
}
