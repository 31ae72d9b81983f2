// What all compilers share: the common keys, and which issues leave a key out.

/** The common keys that every payload needs; they are ours to write, so settings do not hold them. */
export const common = {
  PayloadVersion: 1,
  PayloadIdentifier: 'settings',
  PayloadUUID: '00000000-0000-4000-8000-000000000000',
} as const;

/** Deprecated keys still work; whatever else the schema holds against a target does not. */
export function speaksAgainst(code: string): boolean {
  return code.startsWith('target.') && code !== 'target.deprecated';
}

/** The settings as the payload that they become; JSON numbers, strings and booleans are property list values as they are. */
export function asPayload(type: string, settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...settings, ...common, PayloadType: type };
}
