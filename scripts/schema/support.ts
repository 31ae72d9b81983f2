// Effective availability: what a key inherits, and whether a required key is required on every platform.
import { type Item, type Key, type PlatformSupport, platforms, type Support } from './model.ts';

export function inherit(parent: Support | undefined, own: Support | undefined): Support {
  const merged: Support = {};
  for (const platform of platforms) {
    const [above, here] = [parent?.[platform], own?.[platform]];
    if (above === undefined && here === undefined) continue;
    const facts: PlatformSupport = { ...above, ...here };
    // Absent above stays absent, whatever a key below says.
    if (above?.introduced === 'n/a') facts.introduced = 'n/a';
    if (above?.sharedipad && here?.sharedipad) facts.sharedipad = { ...above.sharedipad, ...here.sharedipad };
    if (above?.userenrollment && here?.userenrollment) {
      facts.userenrollment = { ...above.userenrollment, ...here.userenrollment };
    }
    merged[platform] = facts;
  }
  return merged;
}

const mode = (facts: { mode?: string } | undefined): string => facts?.mode ?? 'allowed';

/** True when a required key is there on every platform, enrolment and channel that its parent is there on. */
export function alwaysRequired(key: Key, parent: Support | undefined): boolean {
  if (key.presence !== 'required' || key.until !== undefined) return false;
  const effective = inherit(parent, key.supportedOS);
  for (const platform of platforms) {
    const [above, here] = [parent?.[platform], effective[platform]];
    if (here === undefined || above?.introduced === 'n/a' || above?.removed !== undefined) continue;
    if (here.introduced === 'n/a' || here.removed !== undefined) return false;
    if (mode(here.userenrollment) !== mode(above?.userenrollment)) return false;
    if (mode(here.sharedipad) !== mode(above?.sharedipad)) return false;
    if (here['devicechannel'] === false && above?.['devicechannel'] !== false) return false;
    if (here['userchannel'] === false && above?.['userchannel'] !== false) return false;
  }
  return true;
}

/** `iOS 16.0 supervised, macOS 13.0 (deprecated 15.0); not tvOS`: the facts a key states itself, in a few words. */
export function describeSupport(item: Item | Key): string {
  const named: string[] = [];
  const absent: string[] = [];
  for (const platform of platforms) {
    const facts = item.supportedOS?.[platform];
    if (facts === undefined) continue;
    if (facts.introduced === 'n/a') {
      absent.push(platform);
      continue;
    }
    const words: string[] = [];
    if (facts.introduced !== undefined) words.push(facts.introduced);
    if (facts['supervised'] === true) words.push('supervised');
    if (facts.deprecated !== undefined) words.push(`deprecated ${facts.deprecated}`);
    if (facts.removed !== undefined) words.push(`removed ${facts.removed}`);
    if (words.length > 0) named.push(`${platform} ${words.join(' ')}`);
  }
  if (absent.length > 0) named.push(`not ${absent.join(' ')}`);
  return named.join(', ');
}
