// Availability in words.
import { type PlatformSupport, platforms, type Support } from '@espalier/apple-mdm';

const dash = '-';

function modeNote(what: string, mode: string | undefined): string | undefined {
  if (mode === 'required') return `only with ${what}`;
  if (mode === 'forbidden') return `not with ${what}`;
  if (mode === 'ignored') return `no effect with ${what}`;
  return undefined;
}

function channels(facts: PlatformSupport): string | undefined {
  const { devicechannel: device, userchannel: user } = facts;
  if (device === true && user === true) return 'device and user channel';
  if (device === true && user === false) return 'device channel only';
  if (device === false) return 'user channel only';
  return user === false ? 'not on the user channel' : undefined;
}

/** Everything but the versions, in a few words each. */
export function restrictions(facts: PlatformSupport): string[] {
  const notes = [
    facts.supervised === true ? 'supervised' : undefined,
    facts.requiresdep === true ? 'ADE only' : undefined,
    facts.userapprovedmdm === true ? 'user-approved MDM' : undefined,
    facts.allowmanualinstall === false ? 'MDM only' : undefined,
    modeNote('User Enrolment', facts.userenrollment?.mode),
    modeNote('Shared iPad', facts.sharedipad?.mode),
    channels(facts),
    facts['always-skippable'] === false ? 'not always skippable' : undefined,
  ];
  return notes.filter((note) => note !== undefined);
}

function itemNotes(facts: PlatformSupport): string {
  const notes = restrictions(facts);
  if (facts.multiple !== undefined) notes.push(facts.multiple ? 'several per device' : 'one per device');
  if (facts.accessrights !== undefined && facts.accessrights !== 'None') notes.push(`right: ${facts.accessrights}`);
  const enrolments = facts['allowed-enrollments'];
  if (enrolments !== undefined) notes.push(`enrolments: ${enrolments.join(', ')}`);
  const scopes = facts['allowed-scopes'];
  if (scopes !== undefined) notes.push(`scopes: ${scopes.join(', ')}`);
  if (facts.beta === true) notes.push('beta');
  return notes.join('; ');
}

/** Rows of the item's availability: platform, from, deprecated, removed, notes. */
export function availabilityRows(support: Support | undefined): string[][] {
  return platforms.flatMap((platform) => {
    const facts = support?.[platform];
    if (facts === undefined) return [];
    if (facts.introduced === 'n/a') return [[platform, dash, dash, dash, 'not available']];
    const { introduced = dash, deprecated = dash, removed = dash } = facts;
    return [[platform, introduced, deprecated, removed, itemNotes(facts)]];
  });
}

/** What a key states itself, e.g. `from iOS 16.0, macOS 13.0; supervised on iOS; not on tvOS`. Empty when it states nothing. */
export function supportNote(support: Support | undefined): string {
  const absent: string[] = [];
  const groups = new Map<string, string[]>();
  const add = (before: string, what: string | undefined): void => {
    if (what !== undefined) groups.set(before, [...(groups.get(before) ?? []), what]);
  };
  const stated = platforms.flatMap((platform) => {
    const facts = support?.[platform];
    return facts === undefined ? [] : [{ platform, facts }];
  });
  const present = stated.filter(({ platform, facts }) => {
    if (facts.introduced === 'n/a') absent.push(platform);
    return facts.introduced !== 'n/a';
  });
  const version = (platform: string, text: string | undefined): string | undefined =>
    text === undefined || text === 'all' ? undefined : `${platform} ${text}`;
  for (const { platform, facts } of present) add('from', version(platform, facts.introduced));
  for (const { platform, facts } of present) add('deprecated in', version(platform, facts.deprecated));
  for (const { platform, facts } of present) add('removed in', version(platform, facts.removed));
  for (const { platform, facts } of present) for (const note of restrictions(facts)) add(`${note} on`, platform);
  const parts = [...groups].map(([before, what]) => `${before} ${what.join(', ')}`);
  if (absent.length > 0) parts.push(`not on ${absent.join(', ')}`);
  return parts.join('; ');
}
