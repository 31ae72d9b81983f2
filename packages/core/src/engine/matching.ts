// Search expressions, parsed, checked and compiled once: what they match, what they read, when the result may change.
import {
  type Catalogue,
  check,
  compile,
  type Expression,
  excludeRetired,
  fieldsOf,
  isTimeDependent,
  nextChange,
  parse,
  parseBasic,
} from '@espalier/search';
import type { Facts } from '../api/common.ts';
import { CoreError } from '../errors.ts';

/** A compiled expression. */
export interface Matching {
  readonly expression: Expression;
  /** Whether it may probe secrets. */
  readonly sensitive: boolean;
  /** The fields that it reads, by canonical token. */
  readonly tokens: ReadonlySet<string>;
  /** Whether the result can change though no fact does. */
  readonly timeDependent: boolean;
  matches(facts: Facts, now: number): boolean;
  /** The earliest time after `now` at which the result may change though no fact does; `null` when it never does. */
  nextChange(facts: Facts, now: number): number | null;
}

/** How a search is meant. */
export interface SearchMeaning {
  /** Secrets may be compared, not only tested for being there. Default false. */
  readonly sensitive?: boolean;
  /** Without retired devices. Default false. */
  readonly excludeRetired?: boolean;
}

/** Compiles expressions. */
export interface Matcher {
  readonly catalogue: Catalogue;
  /**
   * An advanced search.
   * @throws SearchSyntaxError, SearchError for a text that is no expression; CoreError `core.search.unknown_field`
   */
  advanced(text: string, meaning?: SearchMeaning): Matching;
  /** An expression that was built, not written. @throws CoreError `core.search.unknown_field` */
  expression(expression: Expression): Matching;
  /** The one-box search. @throws SearchSyntaxError */
  basic(text: string, meaning?: SearchMeaning): Matching;
}

/** How many compiled expressions are kept. */
const KEPT = 500;

/** Makes a matcher over a catalogue of fields; it keeps what it compiled last. */
export function createMatcher(catalogue: Catalogue): Matcher {
  const compiled = new Map<string, Matching>();

  function matchingOf(asked: Expression, meaning: SearchMeaning): Matching {
    const { sensitive = false } = meaning;
    for (const { code, message, suggestion } of check(asked, catalogue, { sensitive })) {
      if (code !== 'unknown-field') continue;
      const remedy = suggestion === undefined ? {} : { remedy: `perhaps ${suggestion} was meant` };
      throw new CoreError('core.search.unknown_field', 'invalid', message, remedy);
    }
    const expression = meaning.excludeRetired === true ? excludeRetired(asked) : asked;
    const timeDependent = isTimeDependent(expression);
    return {
      expression,
      sensitive,
      tokens: new Set(fieldsOf(expression, catalogue)),
      timeDependent,
      matches: compile(expression, { catalogue, sensitive }),
      nextChange: timeDependent ? nextChange(expression, { catalogue, sensitive }) : () => null,
    };
  }

  return {
    catalogue,
    advanced(text, meaning = {}) {
      const key = `${meaning.sensitive === true} ${meaning.excludeRetired === true} ${text}`;
      const kept = compiled.get(key);
      if (kept !== undefined) return kept;
      const made = matchingOf(parse(text), meaning);
      if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value ?? '');
      compiled.set(key, made);
      return made;
    },
    expression: (expression) => matchingOf(expression, {}),
    basic: (text, meaning = {}) => matchingOf(parseBasic(text), meaning),
  };
}
