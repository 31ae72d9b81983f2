// `espalier lint FILE`: checks profiles, commands, check-ins, declarations and status reports against the schema.
import { type Issue, type Target, type ValidateKind, validate, validateKinds } from '@espalier/apple-mdm';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Opened, type OpenSigned, openFile } from '../lint/open.ts';
import { targetHelp, targetOption } from '../options.ts';
import { paragraph } from '../text/wrap.ts';

const help = `usage: espalier lint FILE… [--target T] [--kind K] [--name N] [--strict]
                     [--json]

FILE is a .mobileconfig (signed ones too), a command, check-in or response as a
property list, or a declaration, a list of them or a status report as JSON; - is
standard input.

${targetHelp}
  --kind K     what the file holds, when it does not tell itself:
               ${validateKinds.slice(0, 6).join(', ')},
               ${validateKinds.slice(6).join(', ')}
  --name N     the command of a response, the status item of a value, …
  --strict     warnings count as errors
  --json       the issues as JSON

Exit code 1: there are errors.`;

/** An issue of the file as such, before the schema comes in. */
interface FileIssue extends Omit<Issue, 'code'> {
  readonly code: string;
}

interface FileReport {
  readonly file: string;
  readonly kind: ValidateKind | null;
  readonly signed: boolean;
  readonly issues: readonly FileIssue[];
}

interface Options {
  readonly target: Target | undefined;
  readonly kind: ValidateKind | undefined;
  readonly name: string | undefined;
}

const loadSigned = async (): Promise<OpenSigned> => (await import('@espalier/pki')).verifyCms;

const brand = Symbol.for('espalier.error');

/** A file that cannot be read as what it should be is an issue of that file, not a failure of the program. */
function unreadable(error: unknown): FileIssue {
  if (error instanceof SyntaxError || (error instanceof TypeError && !(brand in error))) {
    return { path: '/', code: 'json.syntax', severity: 'error', message: error.message, remedy: 'Write valid JSON.' };
  }
  if (!(error instanceof Error) || !(brand in error)) throw error;
  const { code, remedy } = error as unknown as Error & { code: string; remedy?: string };
  return { path: '/', code, severity: 'error', message: error.message, remedy: remedy ?? 'Write the file anew.' };
}

function lintValue(opened: Opened, options: Options): FileIssue[] {
  const kind = options.kind ?? opened.kind;
  if (kind === null) {
    const remedy = 'Say what it is with --kind.';
    const message = 'is no profile, payload, command, check-in, response, declaration or status report';
    return [{ path: '/', code: 'file.kind', severity: 'error', message, remedy }];
  }
  return validate(kind, opened.value, options.target, options.name === undefined ? {} : { name: options.name });
}

async function lintFile(file: string, options: Options, io: Io): Promise<FileReport> {
  const bytes = io.readFile(file);
  let opened: Opened[];
  try {
    opened = await openFile(bytes, loadSigned);
  } catch (error) {
    return { file, kind: options.kind ?? null, signed: false, issues: [unreadable(error)] };
  }
  const issues = opened.flatMap((one, index) => {
    const found = lintValue(one, options);
    if (opened.length === 1) return found;
    return found.map((issue) => ({ ...issue, path: `/${index}${issue.path === '/' ? '' : issue.path}` }));
  });
  return { file, kind: options.kind ?? opened[0]?.kind ?? null, signed: opened[0]?.signed ?? false, issues };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function countOf(reports: readonly FileReport[], severity: string): number {
  return reports.flatMap((report) => report.issues).filter((issue) => issue.severity === severity).length;
}

function print(report: FileReport, io: Io): void {
  const kind = report.kind === null ? '' : ` (${report.signed ? 'signed ' : ''}${report.kind})`;
  const verdict = report.issues.length === 0 ? 'no issues' : counted(report.issues.length, 'issue');
  io.out(`${report.file}${kind}: ${verdict}`);
  for (const issue of report.issues) {
    const head = `${issue.severity.padEnd(7)}  ${issue.path}`;
    const room = io.columns - 2 - issue.code.length - 2;
    if (head.length <= room) io.out(`  ${head.padEnd(room)}${issue.code}`);
    else io.out(`  ${head}\n           ${issue.code}`);
    io.out(paragraph(`${issue.message}. ${issue.remedy}`, io.columns, 11));
  }
}

function kindOption(text: string | undefined): ValidateKind | undefined {
  if (text === undefined) return undefined;
  const kind = validateKinds.find((known) => known === text);
  if (kind === undefined) throw new CliError('cli.usage', `--kind ${text}: use ${validateKinds.join(', ')}`);
  return kind;
}

/** The command. */
export const lint: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      target: { type: 'string' },
      kind: { type: 'string' },
      name: { type: 'string' },
      strict: { type: 'boolean' },
      json: { type: 'boolean' },
    });
    if (positionals.length === 0) throw new CliError('cli.usage', 'no file given');
    const options: Options = {
      target: targetOption(values.target),
      kind: kindOption(values.kind),
      name: values.name,
    };
    const reports: FileReport[] = [];
    for (const file of positionals) reports.push(await lintFile(file, options, io));
    const errors = countOf(reports, 'error');
    const warnings = countOf(reports, 'warning');
    if (values.json) io.out(JSON.stringify({ files: reports, errors, warnings }, null, 2));
    else {
      for (const report of reports) print(report, io);
      if (errors + warnings > 0) io.out(`${counted(errors, 'error')}, ${counted(warnings, 'warning')}`);
    }
    return errors > 0 || (values.strict === true && warnings > 0) ? 1 : 0;
  },
};
