// Finds the command, runs it, and turns what it throws into a message and an exit code.
import type { CliCommand } from './command.ts';
import { CliError } from './errors.ts';
import type { Io } from './io.ts';

interface Entry {
  readonly summary: string;
  load(): Promise<CliCommand>;
}

const commands: Readonly<Record<string, Entry>> = {
  explain: {
    summary: 'what a command, payload, declaration or status item takes, and where',
    load: async () => (await import('./commands/explain.ts')).explain,
  },
  import: {
    summary: 'take over the enrolments of a NanoMDM or a MicroMDM into a store',
    load: async () => (await import('./commands/import.ts')).importEnrolments,
  },
  lint: {
    summary: 'check profiles, commands and declarations against the schema',
    load: async () => (await import('./commands/lint.ts')).lint,
  },
  plist: {
    summary: 'print property lists and convert them to xml, binary or json',
    load: async () => (await import('./commands/plist.ts')).plist,
  },
  search: {
    summary: 'explain a search expression, and run it against a store',
    load: async () => (await import('./commands/search.ts')).search,
  },
  simulate: {
    summary: 'enrol simulated devices with any MDM server, and have them poll',
    load: async () => (await import('./commands/simulate.ts')).simulate,
  },
  store: {
    summary: 'migrate, check and measure a store, and seal it with a new key',
    load: async () => (await import('./commands/store.ts')).store,
  },
};

const width = Math.max(...Object.keys(commands).map((name) => name.length));

/** The help of the command line as a whole. */
export const help = `espalier: tools for Apple device management

usage: espalier COMMAND [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  .join('\n')}

espalier COMMAND --help tells more. --json gives output for programs.
Exit codes: 0 done, 1 something was found or not found, 2 wrong usage.`;

/** Adds what a report needs to a thrown value's message. */
function isOurs(error: unknown): error is Error & { remedy?: string; code: string } {
  return error instanceof Error && (error as { [brand]?: unknown })[brand] === true;
}
const brand = Symbol.for('espalier.error');

/**
 * Runs the command line.
 *
 * @param args what was typed after `espalier`
 * @returns the exit code: 0 done, 1 something was found or not found, 2 wrong usage
 * @example
 * process.exitCode = await run(process.argv.slice(2), processIo());
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.err(help);
    return 2;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(help);
    return 0;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    io.err(`espalier: there is no command '${name}'\n\n${help}`);
    return 2;
  }
  const command = await entry.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(command.help);
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (!isOurs(error)) throw error;
    io.err(`espalier ${name}: ${error.message}${error.remedy === undefined ? '' : `\n${error.remedy}`}`);
    if (error instanceof CliError && error.code === 'cli.usage') io.err(`\n${command.help}`);
    return error instanceof CliError && error.code !== 'cli.store' ? 2 : 1;
  }
}
