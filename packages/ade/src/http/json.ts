// Reading JSON answers: typed, prototype-safe, and without quoting them in errors.
import { AdeError, type AppleAnswer } from '../errors.ts';

/** The keys of a JSON object. Values are unknown until they are asked for by type. */
export class JsonObject {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: object) {
    this.#fields = fields as Readonly<Record<string, unknown>>;
  }

  /** A field of the object itself: what a prototype has is not there. */
  #value(key: string): unknown {
    return Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined;
  }

  /** Whether the key is there. */
  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key);
  }

  /** A text; undefined when it is missing or something else. */
  text(key: string): string | undefined {
    const value = this.#value(key);
    return typeof value === 'string' ? value : undefined;
  }

  /** A finite number. */
  number(key: string): number | undefined {
    const value = this.#value(key);
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  }

  /** `true` or `false`. */
  boolean(key: string): boolean | undefined {
    const value = this.#value(key);
    return typeof value === 'boolean' ? value : undefined;
  }

  /** The texts of an array. */
  texts(key: string): readonly string[] | undefined {
    const value = this.#value(key);
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
  }

  /** The object below a key. */
  object(key: string): JsonObject | undefined {
    return objectOf(this.#value(key));
  }

  /** The objects of an array. */
  objects(key: string): readonly JsonObject[] | undefined {
    const value = this.#value(key);
    if (!Array.isArray(value)) return undefined;
    return value.map(objectOf).filter((item) => item !== undefined);
  }

  /** Every entry, as it is. */
  entries(): readonly [string, unknown][] {
    return Object.entries(this.#fields);
  }
}

/** The object that a value is, if it is one. */
export function objectOf(value: unknown): JsonObject | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new JsonObject(value);
}

/**
 * The object that an answer holds.
 * @throws AdeError `ade.http.answer` when it is no JSON object.
 */
export function jsonAnswer(text: string, service: AppleAnswer['service'], status: number): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // the parser's message would quote the answer
  }
  const object = objectOf(value);
  if (object === undefined) {
    throw new AdeError('ade.http.answer', 'the service answered with something that is no JSON object', {
      kind: 'unavailable',
      apple: { service, status },
    });
  }
  return object;
}

/** @throws AdeError `ade.http.answer`: the answer lacks something that it must have. */
export function lacking(what: string, service: AppleAnswer['service'], status = 200): AdeError {
  return new AdeError('ade.http.answer', `the service's answer lacks ${what}`, {
    kind: 'unavailable',
    at: { path: what },
    apple: { service, status },
  });
}
