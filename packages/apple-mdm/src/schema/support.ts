// Effective availability: what a key inherits, and whether a required key is required wherever its parent is.
import { type PlatformSupport, platforms, type SchemaKey, type Support } from './model.ts';

/** True for a key that stands for any name. */
export function isWildcard(key: SchemaKey): boolean {
  return key.key === 'ANY' || key.key.startsWith('ANY ');
}

/**
 * Lays what a key states itself over what its parent has.
 *
 * @example effectiveSupport(item.supportedOS, key.supportedOS)
 */
export function effectiveSupport(parent: Support | undefined, own: Support | undefined): Support {
  if (own === undefined) return parent ?? {};
  const merged: { -readonly [P in keyof Support]: Support[P] } = {};
  for (const platform of platforms) {
    const [above, here] = [parent?.[platform], own[platform]];
    if (above === undefined && here === undefined) continue;
    const facts: { -readonly [A in keyof PlatformSupport]: PlatformSupport[A] } = { ...above, ...here };
    // Absent above stays absent, whatever a key below says.
    if (above?.introduced === 'n/a') facts.introduced = 'n/a';
    if (above?.sharedipad && here?.sharedipad) facts.sharedipad = { ...above.sharedipad, ...here.sharedipad };
    merged[platform] = facts;
  }
  return merged;
}

const mode = (facts: { readonly mode?: string } | undefined): string => facts?.mode ?? 'allowed';

/** True when a key is on every platform, enrolment and channel that its parent is on. */
export function alwaysAvailable(key: SchemaKey, parent: Support | undefined): boolean {
  if (key.until !== undefined) return false;
  if (key.supportedOS === undefined) return true;
  const effective = effectiveSupport(parent, key.supportedOS);
  for (const platform of platforms) {
    const [above, here] = [parent?.[platform], effective[platform]];
    if (here === undefined || above?.introduced === 'n/a') continue;
    if (here.introduced === 'n/a' || here.removed !== above?.removed) return false;
    if (mode(here.userenrollment) !== mode(above?.userenrollment)) return false;
    if (mode(here.sharedipad) !== mode(above?.sharedipad)) return false;
    if (here.devicechannel === false && above?.devicechannel !== false) return false;
    if (here.userchannel === false && above?.userchannel !== false) return false;
  }
  return true;
}
