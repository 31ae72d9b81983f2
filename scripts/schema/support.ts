// Availability in a few words, for the comments of the generated types.
import { platforms } from '../../packages/apple-mdm/src/schema/model.ts';
import type { Item, Key } from './model.ts';

/** `iOS 16.0 supervised, macOS 13.0 deprecated 15.0, not tvOS`: the facts that an item or key states itself. */
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
    if (facts.supervised === true) words.push('supervised');
    if (facts.deprecated !== undefined) words.push(`deprecated ${facts.deprecated}`);
    if (facts.removed !== undefined) words.push(`removed ${facts.removed}`);
    if (words.length > 0) named.push(`${platform} ${words.join(' ')}`);
  }
  if (absent.length > 0) named.push(`not ${absent.join(' ')}`);
  return named.join(', ');
}
