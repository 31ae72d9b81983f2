// A key that is there only when its value is.

/** An object with the key, or without it when the value is absent (`exactOptionalPropertyTypes`). */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
