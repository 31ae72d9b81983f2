// The four kinds of declaration, and where the device asks for them.

/** The kinds of declaration, as the `declaration/…/…` endpoint names them. */
export const declarationKinds = ['activation', 'asset', 'configuration', 'management'] as const;

/** One of the four kinds of declaration. */
export type DeclarationKind = (typeof declarationKinds)[number];

/**
 * The kind of a declaration type: the first part of its name that is one of the four (`com.apple.asset.data` gives `asset`).
 * `null` when none is, and no device could ask for such a declaration.
 */
export function declarationKind(type: string): DeclarationKind | null {
  const kinds: readonly string[] = declarationKinds;
  const part = type.split('.').find((one) => kinds.includes(one));
  return (part as DeclarationKind | undefined) ?? null;
}

/** Largest size of an `Identifier` and of a `ServerToken`, in octets (Apple's DeclarationBase). */
export const maxIdentifierBytes = 64;
