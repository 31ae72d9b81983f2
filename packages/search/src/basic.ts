// Basic search: the one-box search for a device or a user.
import { positionOf, SearchSyntaxError } from './errors.ts';
import { type Comparison, compare, EVERYTHING, type Expression, or, type ValueOperator } from './expression.ts';
import { isText } from './fold.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const each = (operator: ValueOperator, value: string, ...fields: string[]): Expression => {
  const [first, ...rest] = fields.map((field) => compare(field, operator, value)) as [Comparison, ...Comparison[]];
  return or(first, ...rest);
};

const prefixes: ReadonlyMap<string, (value: string) => Expression> = /* @__PURE__ */ new Map([
  ['mac', (v: string) => each('=', v, 'common.wifi_mac_address', 'common.ethernet_mac')],
  ['sn', (v: string) => each('=', v, 'common.serial_number')],
  ['udid', (v: string) => each('=', v, 'ios.UDID')],
  ['uid', (v: string) => each('=', v, 'user.user_id', 'user.ldap.principal', 'user.ldap.upn')],
  ['mail', (v: string) => each('contains', v, 'user.email_address')],
  ['name', (v: string) => each('contains', v, 'user.first_name', 'user.last_name', 'user.display_name')],
]);

/**
 * Reads the text of the one-box search. `mac:`, `sn:`, `udid:` and `uid:` look for exactly that identifier (compiled with
 * the catalogue, addresses and UDIDs are compared without separators), `mail:` and `name:` for a part of the e-mail
 * address or name, as does text without a prefix. An unknown prefix is part of the text. Blank text, or a prefix without a value, is every device.
 * @throws {SearchSyntaxError} when the text is longer than 8,192 characters or contains NUL or broken Unicode
 * @example parseBasic('sn: C02XYZ') // "common.serial_number" = "C02XYZ"
 */
export function parseBasic(text: string): Expression {
  const [code, message] =
    text.length > DEFAULT_LIMITS.maxLength
      ? ['too-long', `a search has at most ${DEFAULT_LIMITS.maxLength} characters`]
      : isText(text)
        ? []
        : ['unexpected-character', 'text is well-formed Unicode without NUL'];
  if (code !== undefined) throw new SearchSyntaxError(code, message!, positionOf('', 0), text.length, []);
  const trimmed = text.trim();
  const colon = trimmed.indexOf(':');
  const search = colon < 0 ? undefined : prefixes.get(trimmed.slice(0, colon).trim().toLowerCase());
  const value = search === undefined ? trimmed : trimmed.slice(colon + 1).trim();
  if (value === '') return EVERYTHING;
  return search === undefined
    ? each('contains', value, 'user.email_address', 'user.first_name', 'user.last_name', 'user.display_name')
    : search(value);
}
