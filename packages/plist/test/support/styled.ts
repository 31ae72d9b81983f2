// A writer of XML property lists that picks among all the spellings a reader must understand.
import { PlistReal, PlistUid, type PlistValue } from '../../src/index.ts';

/** The document in a style that depends on the seed alone: UTF-8 or UTF-16, CDATA, references, comments, spaces. */
export function styled(value: PlistValue, seed: number): Uint8Array {
  return new Stylist(seed).document(value);
}

class Stylist {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2_654_435_761 + 1) >>> 0;
  }

  private below(count: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * count);
  }

  private pick<T>(...from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  document(value: PlistValue): Uint8Array {
    const wide = this.below(8) === 0;
    const encoding = wide ? 'UTF-16' : this.pick('UTF-8', 'utf-8');
    const declaration = this.pick(
      `<?xml version="1.0" encoding="${encoding}"?>`,
      `<?xml version='1.0' encoding='${encoding}' standalone='no' ?>`,
      '<?xml version="1.0"?>',
    );
    const doctype = this.pick(
      '',
      '<!DOCTYPE plist SYSTEM "file://localhost/System/Library/DTDs/PropertyList.dtd">',
      `<!DOCTYPE plist PUBLIC '-//Apple Computer//DTD PLIST 1.0//EN'\n  "http://www.apple.com/DTDs/PropertyList-1.0.dtd" >`,
      '<!DOCTYPE plist>',
    );
    const open = this.pick('<plist>', '<plist version="1.0">', "<plist\tversion = '1.0' >");
    const text =
      declaration +
      this.gap() +
      doctype +
      this.gap() +
      open +
      this.gap() +
      this.value(value) +
      this.gap() +
      this.pick('</plist>', '</plist >') +
      this.gap();
    if (wide) {
      const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
      return this.below(2) === 0 ? bytes : bytes.swap16();
    }
    return Buffer.from(this.below(4) === 0 ? `\ufeff${text}` : text);
  }

  /** What may stand between two elements. */
  private gap(): string {
    return this.pick('', '', '\n', '\r\n\t', ' ', '<!-- a < b & c -->', '\n<!---->\n');
  }

  private value(value: PlistValue): string {
    if (typeof value === 'string')
      return value === '' && this.below(2) === 0 ? '<string/>' : this.element('string', value);
    if (typeof value === 'boolean') {
      const name = String(value);
      return this.pick(`<${name}/>`, `<${name} />`, `<${name}></${name}>`, `<${name}></${name} >`);
    }
    if (typeof value === 'bigint') return this.number('integer', this.integer(value));
    if (typeof value === 'number') {
      return Number.isInteger(value) ? this.number('integer', this.integer(BigInt(value))) : this.real(value);
    }
    if (value instanceof PlistReal) return this.real(value.value);
    if (value instanceof PlistUid)
      return `<dict><key>CF$UID</key>${this.number('integer', String(value.value))}</dict>`;
    if (value instanceof Date) return `<date>${value.toISOString().slice(0, 19)}Z</date>`;
    if (value instanceof Uint8Array) return this.data(value);
    if (Array.isArray(value))
      return this.container(
        'array',
        value.map((each) => this.value(each)),
      );
    return this.container(
      'dict',
      Object.entries(value).map(([key, each]) => this.element('key', key) + this.gap() + this.value(each)),
    );
  }

  private container(name: string, content: readonly string[]): string {
    if (content.length === 0 && this.below(2) === 0) return this.pick(`<${name}/>`, `<${name} />`);
    return `<${name}>${this.gap()}${content.map((each) => each + this.gap()).join('')}</${name}${this.pick('', ' ')}>`;
  }

  private number(name: string, text: string): string {
    return this.pick(`<${name}>${text}</${name}>`, `<${name} > ${text}\n</${name}>`);
  }

  private integer(value: bigint): string {
    if (value < 0n) return String(value);
    return this.pick(String(value), String(value), `+${value}`, `00${value}`);
  }

  private real(value: number): string {
    if (Number.isNaN(value)) return `<real>${this.pick('nan', 'NaN', 'NAN')}</real>`;
    if (!Number.isFinite(value))
      return `<real>${value < 0 ? '-' : this.pick('', '+')}${this.pick('inf', 'infinity', 'Infinity')}</real>`;
    const text = Object.is(value, -0) ? '-0.0' : this.pick(String(value), value.toExponential());
    return this.number('real', text);
  }

  private data(value: Uint8Array): string {
    const text = Buffer.from(value).toString('base64');
    const wrapped = text.replace(/.{8}/g, (group) => group + this.pick('', '', '', '\n\t', ' '));
    return `<data>${this.pick('', '\n')}${wrapped}${this.pick('', '\n')}</data>`;
  }

  private element(name: string, text: string): string {
    return `<${name}>${this.text(text)}</${name}${this.pick('', '', ' ', '\n')}>`;
  }

  private text(text: string): string {
    // A carriage return survives only as a reference, so it cannot stand in a CDATA section.
    if (this.below(6) === 0 && !/\r/.test(text)) return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
    let out = '';
    for (const char of text) {
      const code = char.codePointAt(0)!;
      if (char === '&' || char === '<')
        out += this.pick(char === '&' ? '&amp;' : '&lt;', `&#${code};`, `&#x${code.toString(16)};`);
      else if (char === '>' || char === '\r') out += this.pick(`&#${code};`, `&#x${code.toString(16).toUpperCase()};`);
      else if (char === '\n') out += this.pick('\n', '\r\n', '\r', '&#10;');
      else if (char === '"') out += this.pick('"', '&quot;');
      else if (char === "'") out += this.pick("'", '&apos;');
      else if (this.below(20) === 0) out += this.pick(`&#${code};`, `<![CDATA[${char}]]>`, `${char}<!-- between -->`);
      else out += char;
    }
    return out;
  }
}
