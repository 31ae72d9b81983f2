// Reads the settings of credential configurations: plain JSON in, typed values out, with the place of what is wrong.
import { PolicyError } from '../errors.ts';

/** Settings as an administrator writes them. */
export type Settings = Readonly<Record<string, unknown>>;

/** An error about one setting. */
export const wrongSetting = (key: string, message: string, remedy = 'Mend it, or leave it out.'): PolicyError =>
  new PolicyError('policy.settings.invalid', message, key, remedy);

/** Reads single settings; those that are absent are `undefined`. */
export interface SettingsReader {
  text(key: string): string | undefined;
  flag(key: string): boolean | undefined;
  whole(key: string): number | undefined;
  one<const T extends string | number>(key: string, values: readonly T[]): T | undefined;
  texts(key: string): readonly string[] | undefined;
  object(key: string): Settings | undefined;
  objects(key: string): readonly Settings[] | undefined;
}

const MOST_ITEMS = 100;
const MOST_CHARACTERS = 200_000;

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws PolicyError `policy.settings.invalid` for a setting that is none of `known`, and from each reading. */
export function settingsReader(settings: Settings, known: readonly string[], within = ''): SettingsReader {
  for (const key of Object.keys(settings)) {
    if (!known.includes(key))
      throw wrongSetting(within + key, `there is no setting ${key}`, `Known: ${known.join(', ')}.`);
  }
  function read<T>(key: string, fits: (value: unknown) => value is T, what: string): T | undefined {
    const value = Object.hasOwn(settings, key) ? settings[key] : undefined;
    if (value === undefined || fits(value)) return value;
    throw wrongSetting(within + key, `${key} is not ${what}`);
  }
  const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MOST_CHARACTERS;
  const listOf =
    <T>(fits: (value: unknown) => value is T) =>
    (value: unknown): value is readonly T[] =>
      Array.isArray(value) && value.length <= MOST_ITEMS && value.every(fits);
  return {
    text: (key) => read(key, isText, 'a text'),
    flag: (key) => read(key, (value) => typeof value === 'boolean', 'true or false'),
    whole: (key) => read(key, (value): value is number => Number.isSafeInteger(value), 'a whole number'),
    one: <const T extends string | number>(key: string, values: readonly T[]) =>
      read(key, (value): value is T => values.includes(value as T), `one of ${values.join(', ')}`),
    texts: (key) => read(key, listOf(isText), 'a list of texts'),
    object: (key) => read(key, isObject, 'an object'),
    objects: (key) => read(key, listOf(isObject), 'a list of objects'),
  };
}
