// What `validate` reports, and the collector that keeps the number of reports within bounds.

/**
 * Stable reason of an issue.
 *
 * - `schema.unknown`: no file of the schema describes this type (a warning: it may be newer than the catalogue).
 * - `key.missing`, `key.unknown`: a required key is absent; a key is not in the schema (a warning).
 * - `key.retired`: a later level of the schema no longer lists the key (a warning).
 * - `type.wrong`: the value is of another type.
 * - `value.list`, `value.range`, `value.pattern`, `value.format`, `value.count`: outside the rangelist, the range, the
 *   regular expression, the stated format (url, hostname, …), or the number of items.
 * - `value.depth`: nested deeper than any message may be.
 * - `rule.required`, `rule.forbidden`, `rule.one_of`, `rule.any_of`, `rule.ignored`: keys that the schema's descriptions
 *   require together, forbid together, of which exactly or at least one must be there, or that have no effect here.
 * - `profile.multiple`: several payloads of a type of which a device takes one.
 * - `profile.duplicate`: two payloads share a PayloadUUID or PayloadIdentifier.
 * - `target.platform`, `target.introduced`, `target.deprecated`, `target.removed`: not on this platform or OS version.
 * - `target.supervised`, `target.shared_ipad`, `target.user_enrolment`, `target.enrolment`, `target.channel`, `target.ade`,
 *   `target.user_approved`, `target.manual`: not for a device managed like this.
 * - `target.access_rights`: the enrolment does not give the server the right (`checkCommand`).
 */
export type IssueCode =
  | 'schema.unknown'
  | 'key.missing'
  | 'key.unknown'
  | 'key.retired'
  | 'type.wrong'
  | 'value.list'
  | 'value.range'
  | 'value.pattern'
  | 'value.format'
  | 'value.count'
  | 'value.depth'
  | 'rule.required'
  | 'rule.forbidden'
  | 'rule.one_of'
  | 'rule.any_of'
  | 'rule.ignored'
  | 'profile.multiple'
  | 'profile.duplicate'
  | 'target.platform'
  | 'target.introduced'
  | 'target.deprecated'
  | 'target.removed'
  | 'target.supervised'
  | 'target.shared_ipad'
  | 'target.user_enrolment'
  | 'target.enrolment'
  | 'target.channel'
  | 'target.ade'
  | 'target.access_rights'
  | 'target.user_approved'
  | 'target.manual';

/** Whether the device would refuse or misread it (`error`), or it only may be wrong (`warning`). */
export type Severity = 'error' | 'warning';

/** One thing that is wrong with a value. */
export interface Issue {
  /**
   * Key names and array positions, as `/PayloadContent/0/SSID_STR`; `~` and `/` in a key are `~0` and `~1`. The value as
   * a whole is `/`, never an empty text: so it is in every error of this package and of `@espalier/plist`.
   */
  readonly path: string;
  readonly code: IssueCode;
  readonly severity: Severity;
  /** What is wrong. For people; may change. */
  readonly message: string;
  /** How to mend it. */
  readonly remedy: string;
}

/** A place in the value: built while walking, written out only when something is wrong there. */
export interface Place {
  readonly parent: Place | null;
  readonly name: string | number;
}

/** The path of a place; the root is `/`. */
export function pointer(place: Place | null): string {
  const names: string[] = [];
  for (let at = place; at !== null; at = at.parent) {
    names.push(typeof at.name === 'number' ? String(at.name) : at.name.replaceAll('~', '~0').replaceAll('/', '~1'));
  }
  return `/${names.reverse().join('/')}`;
}

/** Collects issues up to a limit. */
export class Issues {
  readonly list: Issue[] = [];
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** True when no more issues are taken, so that walking on is of no use. */
  get full(): boolean {
    return this.list.length >= this.limit;
  }

  add(place: Place | null, code: IssueCode, severity: Severity, message: string, remedy: string): void {
    if (!this.full) this.list.push({ path: pointer(place), code, severity, message, remedy });
  }
}
