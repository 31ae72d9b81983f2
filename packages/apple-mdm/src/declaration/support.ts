// What a device takes: declaration types and status items, by what it said or else by Apple's schema.
import { schema } from '../schema/catalogue.ts';
import { objectionsTo } from '../validate/judge.ts';
import type { Target } from '../validate/target.ts';
import { secretStatusItems } from './merge.ts';
import type { ClientCapabilities } from './states.ts';

const refused = (kind: 'declaration' | 'status', name: string, target: Target): boolean => {
  const item = schema[kind](name);
  return objectionsTo(item?.supportedOS, target).some((objection) => objection.severity === 'error');
};

/**
 * Whether a device takes declarations of a type. What the device said of itself counts; before it has said anything,
 * the schema does. A type that the schema does not know is taken for supported.
 */
export function takesDeclaration(
  type: string,
  device: { readonly target: Target | null; readonly capabilities: ClientCapabilities | null },
): boolean {
  if (device.capabilities !== null) return device.capabilities.declarations.includes(type);
  return device.target === null || !refused('declaration', type, device.target);
}

/** Whether a device reports a status item; by the same rules. */
export function takesStatusItem(
  name: string,
  device: { readonly target: Target | null; readonly capabilities: ClientCapabilities | null },
): boolean {
  if (device.capabilities !== null) return device.capabilities.statusItems.includes(name);
  return device.target === null || !refused('status', name, device.target);
}

/** Whether a device knows declarative management at all (the command's availability in the schema). */
export function takesDeclarativeManagement(target: Target): boolean {
  const support = schema.command('DeclarativeManagement')?.supportedOS;
  return !objectionsTo(support, target).some((objection) => objection.severity === 'error');
}

/**
 * The status items that are worth a subscription: all that the schema knows, without tests, without secrets, and
 * without those that devices report unasked (`management.…`).
 */
export function subscribableStatusItems(): readonly string[] {
  return schema
    .names('status')
    .filter((name) => !name.startsWith('test.') && !name.startsWith('management.') && !secretStatusItems.has(name));
}
