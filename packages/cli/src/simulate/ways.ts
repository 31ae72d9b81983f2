// The ways in which a simulated fleet enrols, from the command's options.
import { fromPem, toPem } from '@espalier/pki';
import {
  createSimulatedDeviceAuthority,
  type EnrolmentWay,
  type SimulatedDeviceAuthority,
  signInWith,
} from '@espalier/simulator';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

/** The names that `--enrol-type` takes. */
export const enrolTypes = ['profile', 'ade', 'ade-web', 'account'] as const;

/** What the options say. */
export interface WayOptions {
  readonly type?: string | undefined;
  /** `--enroll`. */
  readonly enroll?: string | undefined;
  readonly user?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly waits: boolean;
  readonly shared: boolean;
}

/** Makes what each device enrols by, from its number. @throws CliError `cli.usage`, `cli.file` */
export function readWay(options: WayOptions, io: Io): (index: number) => string | Uint8Array | EnrolmentWay {
  const { type = 'profile', enroll, user } = options;
  const known = enrolTypes.find((name) => name === type);
  if (known === undefined) throw new CliError('cli.usage', `--enrol-type ${type}: one of ${enrolTypes.join(', ')}`);
  if (enroll === undefined && known !== 'account') {
    throw new CliError('cli.usage', 'say where the profile is: --enroll URL or FILE');
  }
  if ((options.waits || options.shared) && !known.startsWith('ade')) {
    throw new CliError('cli.usage', '--await and --shared go with --enrol-type ade or ade-web');
  }
  const isUrl = enroll !== undefined && /^https?:\/\//.test(enroll);
  if (known === 'profile') {
    const source = isUrl ? enroll : io.readFile(enroll!);
    return () => source;
  }
  if (enroll !== undefined && !isUrl) throw new CliError('cli.usage', `--enroll ${enroll}: an address (https:)`);
  const password = options.passwordFile === undefined ? '' : textOf(io.readFile(options.passwordFile));
  const numbered = (text: string, index: number): string => text.replaceAll('{n}', String(index + 1));
  const credentials = (index: number) => ({ username: numbered(options.username ?? user ?? '', index), password });
  if (known === 'account') {
    if (user === undefined) throw new CliError('cli.usage', 'say who enrols: --user ann{n}@example.com');
    return (index) => ({
      type: 'account',
      user: numbered(user, index),
      signIn: signInWith(credentials(index)),
      ...(enroll === undefined ? {} : { discovery: enroll }),
    });
  }
  const page = known === 'ade-web' ? { configuration_web_url: enroll! } : {};
  const profile = {
    url: enroll!,
    ...page,
    await_device_configured: options.waits,
    is_multi_user: options.shared,
  };
  return (index) => ({
    type: 'ade',
    profile,
    signIn: signInWith(credentials(index)),
    ...(options.passwordFile === undefined ? {} : { credentials: credentials(index) }),
  });
}

/** The authority that stands in for Apple's: a file's, or a new one that is written there. */
export async function readDeviceAuthority(
  file: string | undefined,
  newFile: string | undefined,
  io: Io,
): Promise<SimulatedDeviceAuthority | undefined> {
  const clock = { now: () => io.now() };
  if (file !== undefined) {
    const text = textOf(io.readFile(file));
    const authority = { certificate: fromPem(text, 'CERTIFICATE'), privateKey: fromPem(text, 'PRIVATE KEY') };
    return await createSimulatedDeviceAuthority({ clock, authority });
  }
  if (newFile === undefined) return undefined;
  const made = await createSimulatedDeviceAuthority({ clock });
  const text = toPem(made.certificate, 'CERTIFICATE') + toPem(made.privateKey, 'PRIVATE KEY');
  io.writeFile(newFile, new TextEncoder().encode(text));
  return made;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\r?\n$/, '');
