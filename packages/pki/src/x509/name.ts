// Distinguished names: RFC 4514 text, a structured form, and DER.
import { contentOf, DerReader, derError, encodingOf, openRoot, readRoot } from '../der/reader.ts';
import { isStringTag, stringOf } from '../der/strings.ts';
import { SEQUENCE } from '../der/tags.ts';
import { type Bytes, ia5, oid, printable, sequence, setOf, utf8 } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';

/** One attribute of a name: `type` is a dotted OID. A `value` starting with `#` and hex holds the DER of a non-string. */
export interface NameAttribute {
  readonly type: string;
  readonly value: string;
}

/** A distinguished name in the order of its encoding (root first: C, O, …, CN); each entry is one RDN. */
export type DistinguishedName = readonly (readonly NameAttribute[])[];

/** A name as text (RFC 4514, leaf first: `CN=leaf,O=Org,C=US`), structured (root first) or as DER. */
export type NameInput = string | DistinguishedName | Uint8Array;

const shortNames: readonly (readonly [string, string])[] = [
  ['CN', oids.commonName],
  ['C', oids.country],
  ['L', oids.locality],
  ['ST', oids.state],
  ['STREET', oids.street],
  ['O', oids.organization],
  ['OU', oids.organizationalUnit],
  ['DC', oids.domainComponent],
  ['UID', oids.userId],
  ['serialNumber', oids.serialNumber],
  ['title', oids.title],
  ['GN', oids.givenName],
  ['SN', oids.surname],
  ['emailAddress', oids.emailAddress],
  ['S', oids.state],
  ['E', oids.emailAddress],
  ['EMAIL', oids.emailAddress],
];
const codeToOid = new Map(shortNames.map(([code, type]) => [code.toUpperCase(), type]));
const oidToCode = new Map([...shortNames].reverse().map(([code, type]) => [type, code]));

/** Longest value per attribute type, in characters (RFC 5280 upper bounds). */
const maxLengths = new Map<string, number>([
  [oids.country, 2],
  [oids.domainComponent, 255],
  [oids.state, 128],
  [oids.locality, 128],
  [oids.organization, 64],
  [oids.organizationalUnit, 64],
  [oids.commonName, 64],
  [oids.serialNumber, 64],
  [oids.emailAddress, 255],
]);

const maxText = 4096;
const maxRdns = 64;
const codeBefore = /^\s*([A-Za-z][A-Za-z0-9-]*|[0-2](?:\.\d{1,15}){1,31})\s*=/;

function nameError(message: string, offset: number): PkiError {
  return new PkiError('pki.name.invalid', message, {
    at: { offset },
    remedy: 'Write names as CODE=value separated by commas; escape a comma inside a value with a backslash.',
  });
}

/**
 * Parses a distinguished name. RFC 4514 escapes and quoted values are understood; a comma or plus separates only where
 * `CODE=` follows, so that `O=Company Name, Inc.` needs no escape. Codes are CN, C, L, ST (or S), STREET, O, OU, DC,
 * UID, E, serialNumber, title, GN, SN, or a dotted OID; case does not matter.
 *
 * @param order `leaf-first` (RFC 4514, the default) or `root-first` (as Apple's payloads and most consoles list it).
 * @returns the name in encoding order, root first.
 * @throws PkiError `pki.name.invalid` with the offset.
 */
export function parseName(text: string, order: 'leaf-first' | 'root-first' = 'leaf-first'): DistinguishedName {
  const name = parseNameParts(text, order);
  encodeName(name); // checks lengths and alphabets
  return name;
}

/** {@link parseName} without the check of lengths and alphabets: for templates, whose values come later. */
export function parseNameParts(text: string, order: 'leaf-first' | 'root-first' = 'leaf-first'): DistinguishedName {
  if (text.length > maxText) throw nameError(`a name longer than ${maxText} characters`, maxText);
  const rdns: NameAttribute[][] = [];
  let position = 0;
  let joins = false;
  while (text.slice(position).trim() !== '' || rdns.length === 0) {
    const start = position;
    if (text.trim() === '') break;
    const head = codeBefore.exec(text.slice(position));
    if (!head) throw nameError('CODE= was expected', position);
    const code = head[1]!;
    const type = /^\d/.test(code) ? code : codeToOid.get(code.toUpperCase());
    if (type === undefined) throw nameError(`unknown attribute ${code}`, position);
    const read = readValue(text, position + head[0].length);
    position = read.end;
    if (read.value === '') throw nameError(`${code} has no value`, start);
    const attribute = { type, value: read.value };
    if (joins) rdns.at(-1)!.push(attribute);
    else rdns.push([attribute]);
    if (rdns.length > maxRdns || rdns.at(-1)!.length > maxRdns) throw nameError('too many parts', position);
    if (position >= text.length) break;
    joins = text[position] === '+';
    position++;
    if (position >= text.length) throw nameError('CODE= was expected', position);
  }
  return order === 'leaf-first' ? rdns.reverse() : rdns;
}

/** Reads an attribute value up to the separator that ends it (its position is `end`) or the end of the text. */
function readValue(text: string, from: number): { value: string; end: number } {
  let position = from;
  while (text[position] === ' ') position++;
  if (text[position] === '"') return readQuoted(text, position);
  if (text[position] === '#') {
    const match = /^#((?:[0-9A-Fa-f]{2})+)\s*(?=[,+;]|$)/.exec(text.slice(position));
    if (match) return { value: `#${match[1]!.toLowerCase()}`, end: position + match[0].length };
  }
  const bytes: Buffer[] = [];
  let kept = 0; // pieces up to the last character that trailing-space trimming must keep
  while (position < text.length) {
    const character = text[position]!;
    if (character === '\\') {
      const hex = /^[0-9A-Fa-f]{2}/.exec(text.slice(position + 1, position + 3));
      if (hex) {
        bytes.push(Buffer.from(hex[0], 'hex'));
        position += 3;
      } else if (position + 1 < text.length) {
        bytes.push(Buffer.from(text[position + 1]!, 'utf8'));
        position += 2;
      } else throw nameError('a backslash at the end', position);
      kept = bytes.length;
      continue;
    }
    if (
      (character === ',' || character === '+' || character === ';') &&
      (codeBefore.test(text.slice(position + 1, position + 80)) || text.slice(position + 1).trim() === '')
    ) {
      break;
    }
    const whole = String.fromCodePoint(text.codePointAt(position)!);
    bytes.push(Buffer.from(whole, 'utf8'));
    position += whole.length;
    if (character !== ' ') kept = bytes.length;
  }
  let value: string;
  try {
    value = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(bytes.slice(0, kept)));
  } catch (cause) {
    throw new PkiError('pki.name.invalid', 'escaped bytes are not UTF-8', { at: { offset: from }, cause });
  }
  // A leading # would read back as hex: keep it apart from the hex form.
  return { value: value.startsWith('#') ? `\\${value}` : value, end: position };
}

function readQuoted(text: string, from: number): { value: string; end: number } {
  let value = '';
  let position = from + 1;
  for (;;) {
    const character = text[position];
    if (character === undefined) throw nameError('a quote is not closed', from);
    if (character === '"') break;
    if (character === '\\') position++;
    value += text[position] ?? '';
    position++;
  }
  position++;
  while (text[position] === ' ') position++;
  if (position < text.length && !/[,+;]/.test(text[position]!)) throw nameError('text after a quoted value', position);
  return { value, end: position };
}

/** Escapes a value for RFC 4514. */
function escapeValue(value: string): string {
  if (/^#(?:[0-9a-f]{2})+$/.test(value)) return value;
  const text = value.startsWith('\\#') ? value.slice(1) : value;
  return text
    .replace(/[\\,+"<>;=]/g, '\\$&')
    .replaceAll('\0', '\\00')
    .replace(/^[ #]/, '\\$&')
    .replace(/(?<!\\) $/, '\\ ');
}

/** RFC 4514 text of a name, leaf first. */
export function formatName(name: DistinguishedName): string {
  return [...name]
    .reverse()
    .map((rdn) => rdn.map(({ type, value }) => `${oidToCode.get(type) ?? type}=${escapeValue(value)}`).join('+'))
    .join(',');
}

/** DER of a name. Throws `pki.name.invalid` for values that are too long or outside their alphabet. */
export function encodeName(input: NameInput): Bytes {
  if (input instanceof Uint8Array) {
    decodeName(input);
    return Uint8Array.from(input);
  }
  const name = typeof input === 'string' ? parseName(input) : input;
  return sequence(...name.map((rdn) => setOf(rdn.map(encodeAttribute))));
}

function encodeAttribute({ type, value }: NameAttribute): Bytes {
  const code = oidToCode.get(type) ?? type;
  if (/^#(?:[0-9a-f]{2})+$/.test(value)) {
    const der = Buffer.from(value.slice(1), 'hex');
    readRoot(der);
    return sequence(oid(type), der);
  }
  const text = value.startsWith('\\#') ? value.slice(1) : value;
  const max = maxLengths.get(type) ?? 1024;
  if (text === '' || [...text].length > max) {
    throw new PkiError('pki.name.invalid', `${code} must have 1 to ${max} characters`, { at: { path: code } });
  }
  if (type === oids.country || type === oids.serialNumber) {
    if ((type === oids.country && !/^[A-Za-z]{2}$/.test(text)) || !/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) {
      throw new PkiError('pki.name.invalid', `${code} has characters that it cannot hold`, { at: { path: code } });
    }
    return sequence(oid(type), printable(text));
  }
  return sequence(oid(type), type === oids.domainComponent || type === oids.emailAddress ? ia5(text) : utf8(text));
}

/** Reads the DER of a name (the SEQUENCE of RDNs). */
export function decodeName(der: Uint8Array): DistinguishedName {
  const name: NameAttribute[][] = [];
  const rdns = openRoot(der, SEQUENCE);
  while (!rdns.done) {
    if (name.length >= maxRdns) throw derError('a name with too many parts', rdns.offset);
    const rdn: NameAttribute[] = [];
    const set = rdns.set();
    if (set.done) throw derError('an empty part of a name', set.offset);
    for (const node of set.rest(maxRdns)) {
      const attribute = new DerReader(node);
      const type = attribute.oid();
      const value = attribute.next();
      attribute.finish();
      if (isStringTag(value.tag)) {
        const text = stringOf(value);
        rdn.push({ type, value: text.startsWith('#') ? `\\${text}` : text });
      } else rdn.push({ type, value: `#${Buffer.from(encodingOf(value)).toString('hex')}` });
      if (contentOf(value).length > 8192) throw derError('a part of a name is too long', value.start);
    }
    name.push(rdn);
  }
  return name;
}

/** The last (most specific) value of an attribute type, if any. */
export function nameValue(name: DistinguishedName, type: string): string | undefined {
  for (let i = name.length - 1; i >= 0; i--) {
    for (const attribute of name[i]!) {
      if (attribute.type === type) {
        return attribute.value.startsWith('\\#') ? attribute.value.slice(1) : attribute.value;
      }
    }
  }
  return undefined;
}
