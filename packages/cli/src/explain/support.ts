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

function versions(platform: string, facts: PlatformSupport): string {
  const words = [platform];
  if (facts.introduced !== undefined) words.push(facts.introduced);
  if (facts.deprecated !== undefined) words.push(`deprecated ${facts.deprecated}`);
  if (facts.removed !== undefined) words.push(`removed ${facts.removed}`);
  return words.join(' ');
}

/** What a key states itself, e.g. `iOS 16.0 (supervised), macOS 13.0; not tvOS`. Empty when it states nothing. */
export function supportNote(support: Support | undefined): string {
  const named: string[] = [];
  const absent: string[] = [];
  const notes = new Map<string, string>();
  for (const platform of platforms) {
    const facts = support?.[platform];
    if (facts === undefined) continue;
    if (facts.introduced === 'n/a') {
      absent.push(platform);
      continue;
    }
    const limits = restrictions(facts).join(', ');
    const head = versions(platform, facts);
    if (head === platform && limits === '') continue;
    named.push(head);
    notes.set(head, limits);
  }
  // One note for all platforms is said once.
  const [first = ''] = notes.values();
  const same = named.length > 1 && first !== '' && [...notes.values()].every((note) => note === first);
  const parts = named.map((head) => (same || notes.get(head) === '' ? head : `${head} (${notes.get(head)})`));
  const text = parts.join(', ') + (same ? ` (${first})` : '');
  const rest = absent.length === 0 ? '' : `not ${absent.join(', ')}`;
  return [text, rest].filter((part) => part !== '').join('; ');
}
