// `espalier plist print|convert FILE`: shows a property list, or writes it in another format.
import { decode, encodeBinary, encodeXml, type PlistValue } from '@espalier/plist';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { isJson } from '../lint/open.ts';
import { fromJson, printText, toJsonText } from '../plist/json.ts';

const help = `usage: espalier plist print FILE [--json]
       espalier plist convert FILE --to xml|binary|json [--out FILE]

FILE is a property list (XML or binary), a signed profile or JSON; - is standard
input.

print        shows the values, with their types told apart
convert      writes another format to standard output, or to --out
  --to F     xml, binary or json. JSON has no data and no dates: data becomes
             base64, a date ISO 8601; from JSON, null entries are left out
  --out FILE where to write
  --json     the same as --to json, for print`;

const formats = ['xml', 'binary', 'json'] as const;
type Format = (typeof formats)[number];

async function read(file: string, io: Io): Promise<PlistValue> {
  const bytes = io.readFile(file);
  if (isJson(bytes)) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(new TextDecoder().decode(bytes));
    } catch (error) {
      throw new CliError('cli.file', `${file} is no valid JSON: ${(error as Error).message}`);
    }
    // A pass through the codec makes of it what a property list can hold, or says what it cannot.
    return decode(encodeXml(fromJson(parsed) ?? {}));
  }
  if (bytes[0] === 0x30) {
    const { verifyCms } = await import('@espalier/pki');
    return decode(verifyCms(bytes).content);
  }
  return decode(bytes);
}

function encode(value: PlistValue, format: Format): Uint8Array {
  if (format === 'xml') return encodeXml(value);
  if (format === 'binary') return encodeBinary(value);
  return new TextEncoder().encode(`${toJsonText(value)}\n`);
}

function formatOption(text: string | undefined): Format {
  const format = formats.find((known) => known === text);
  if (format === undefined) throw new CliError('cli.usage', `--to ${text ?? 'is missing'}: use xml, binary or json`);
  return format;
}

/** The command. */
export const plist: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      to: { type: 'string' },
      out: { type: 'string', short: 'o' },
      json: { type: 'boolean' },
    });
    const [action, file, ...more] = positionals;
    if (action !== 'print' && action !== 'convert') throw new CliError('cli.usage', 'say print or convert');
    if (file === undefined || more.length > 0) throw new CliError('cli.usage', 'give one file');
    if (action === 'print') {
      const value = await read(file, io);
      io.out(values.json ? toJsonText(value) : printText(value));
      return 0;
    }
    const format = values.json ? 'json' : formatOption(values.to);
    const bytes = encode(await read(file, io), format);
    if (values.out !== undefined) io.writeFile(values.out, bytes);
    else if (format === 'binary' && io.terminal) {
      throw new CliError('cli.usage', 'a binary property list is not for the terminal', 'Add --out FILE.');
    } else io.outBytes(bytes);
    return 0;
  },
};
