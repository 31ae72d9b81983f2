// NanoMDM's enrolments: the folder of its `file` or `filekv` storage, or rows of its SQL tables as lines of JSON.
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { bootstrapTokenMessage, fromBase64, fromHex, withUnlockToken } from './messages.ts';
import type { ImportSource, SourceEnrolment, SourceFault, SourceMessage } from './types.ts';

type Folder = Pick<Io, 'readFile' | 'listFolder'>;

/** What a server kept of one enrolment. */
interface Kept {
  readonly id: string;
  readonly disabled: boolean;
  readonly authenticate?: SourceMessage;
  readonly tokenUpdate?: SourceMessage;
  readonly unlockToken?: Uint8Array;
  readonly bootstrapToken?: SourceMessage;
  readonly fingerprint?: string;
}

/**
 * Opens a NanoMDM's folder or a file of rows.
 * @throws CliError `cli.file` where it is neither
 */
export function openNanoMdm(path: string, io: Folder): ImportSource {
  const names = io.listFolder(path);
  if (names === null) return openRows(path, io);
  if (names.includes('devices') && names.includes('enrollments')) return openKeyValues(path, io);
  const ids = names.filter((name) => hasAny(io.listFolder(`${path}/${name}`)));
  if (ids.length === 0) throw new CliError('cli.file', `${path} is not a folder of NanoMDM's file storage`);
  return source(ids, (id) => readFolder(path, id, io));
}

/** Devices in a first pass, user channels in a second one; only the names of the latter are held meanwhile. */
function source<T>(items: readonly T[], read: (item: T) => Kept): ImportSource {
  return {
    total: items.length,
    *read() {
      const users: T[] = [];
      for (const item of items) {
        const kept = read(item);
        if (kept.authenticate === undefined) users.push(item);
        else yield* deviceOf(kept);
      }
      for (const item of users) yield* userOf(read(item));
    },
  };
}

function* deviceOf(kept: Kept): Iterable<SourceEnrolment | SourceFault> {
  const { id, authenticate, tokenUpdate, bootstrapToken, fingerprint, unlockToken } = kept;
  const place = authenticate!.place;
  if (kept.disabled) return yield { place, fault: null };
  if (tokenUpdate === undefined) return yield { place, fault: null };
  try {
    const bytes = withUnlockToken(tokenUpdate.bytes, unlockToken);
    const token =
      bootstrapToken === undefined
        ? []
        : [{ ...bootstrapToken, bytes: bootstrapTokenMessage(authenticate!.bytes, bootstrapToken.bytes) }];
    yield {
      id,
      channel: 'device',
      ...(fingerprint === undefined ? {} : { fingerprint }),
      messages: [authenticate!, { ...tokenUpdate, bytes }, ...token],
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    yield { place: tokenUpdate.place, fault: error.message };
  }
}

function* userOf({ id, disabled, tokenUpdate }: Kept): Iterable<SourceEnrolment | SourceFault> {
  if (tokenUpdate === undefined) return;
  if (disabled) return yield { place: tokenUpdate.place, fault: null };
  yield { id, channel: 'user', messages: [tokenUpdate] };
}

const hasAny = (names: readonly string[] | null): boolean =>
  names?.some((name) => name === 'Authenticate.plist' || name === 'TokenUpdate.plist') ?? false;

/** `file`: a folder for each enrolment, a file for each thing. */
function readFolder(path: string, id: string, io: Folder): Kept {
  const names = new Set(io.listFolder(`${path}/${id}`) ?? []);
  const message = (name: string): SourceMessage | undefined => {
    const place = `${path}/${id}/${name}`;
    return names.has(name) ? { place, bytes: io.readFile(place) } : undefined;
  };
  const hash = message('CertAuth.sha256.txt');
  return kept({
    id,
    disabled: names.has('Disabled'),
    authenticate: message('Authenticate.plist'),
    tokenUpdate: message('TokenUpdate.plist'),
    unlockToken: message('UnlockToken.dat')?.bytes,
    bootstrapToken: message('BootstrapToken.dat'),
    fingerprint: hash && text(hash.bytes),
  });
}

/** `filekv`: a folder for each bucket, below it two levels by the key's beginning, a file for each key. */
function openKeyValues(path: string, io: Folder): ImportSource {
  const bucketOf = (name: string): ReadonlyMap<string, string> => {
    const found = new Map<string, string>();
    const walk = (folder: string, depth: number): void => {
      for (const entry of io.listFolder(folder) ?? []) {
        const place = `${folder}/${entry}`;
        if (depth < 2) walk(place, depth + 1);
        else found.set(entry, place);
      }
    };
    walk(`${path}/${name}`, 0);
    return found;
  };
  const [devices, users, enrolments, hashes] = ['devices', 'users', 'enrollments', 'cert_auth'].map(bucketOf) as [
    ReadonlyMap<string, string>,
    ReadonlyMap<string, string>,
    ReadonlyMap<string, string>,
    ReadonlyMap<string, string>,
  ];
  const idsOf = (bucket: ReadonlyMap<string, string>, end: string): string[] =>
    [...bucket.keys()].filter((key) => key.endsWith(end)).map((key) => key.slice(0, -end.length));
  const read = (bucket: ReadonlyMap<string, string>, key: string): SourceMessage | undefined => {
    const place = bucket.get(key);
    return place === undefined ? undefined : { place, bytes: io.readFile(place) };
  };
  return source([...idsOf(devices, '.auth'), ...idsOf(users, '.tok_upd')], (id) => {
    const hash = read(hashes, `${id}.cert_hash`);
    return kept({
      id,
      disabled: enrolments.has(`${id}.disabled`),
      authenticate: read(devices, `${id}.auth`),
      tokenUpdate: read(devices, `${id}.tok_upd`) ?? read(users, `${id}.tok_upd`),
      unlockToken: read(enrolments, `${id}.unl_tok`)?.bytes,
      bootstrapToken: read(devices, `${id}.bstoken`),
      fingerprint: hash && text(hash.bytes),
    });
  });
}

/** Rows of `devices` and `users`, one a line, with the columns' names; `docs/migration.md` has the statements. */
function openRows(path: string, io: Folder): ImportSource {
  const bytes = io.readFile(path);
  const lines: (readonly [line: number, from: number, to: number])[] = [];
  for (let from = 0, line = 1; from < bytes.length; line++) {
    const end = bytes.indexOf(10, from);
    const to = end === -1 ? bytes.length : end;
    if (bytes.subarray(from, to).some((byte) => byte > 32)) lines.push([line, from, to]);
    from = to + 1;
  }
  const rowOf = ([line, from, to]: (typeof lines)[number]): Kept =>
    readRow(new TextDecoder().decode(bytes.subarray(from, to)), `${path}:${line}`);
  return {
    total: lines.length,
    *read() {
      const users: typeof lines = [];
      for (const line of lines) {
        try {
          const row = rowOf(line);
          if (row.authenticate === undefined) users.push(line);
          else yield* deviceOf(row);
        } catch (error) {
          if (!(error instanceof CliError)) throw error;
          yield { place: `${path}:${line[0]}`, fault: error.message };
        }
      }
      for (const line of users) yield* userOf(rowOf(line));
    },
  };
}

/** @throws CliError `cli.file` */
function readRow(line: string, place: string): Kept {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    throw new CliError('cli.file', `the line is no JSON: ${(error as Error).message}`);
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new CliError('cli.file', 'it is no object');
  const column = (name: string): string | undefined => {
    const value = Object.hasOwn(row, name) ? (row as Record<string, unknown>)[name] : undefined;
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return value;
    throw new CliError('cli.file', `${name} is no text`);
  };
  const message = (name: string): SourceMessage | undefined => {
    const value = column(name);
    return value === undefined ? undefined : { place, bytes: new TextEncoder().encode(value) };
  };
  const id = column('id');
  if (id === undefined) throw new CliError('cli.file', 'there is no id');
  const bootstrap = column('bootstrap_token_b64');
  const enabled = (row as Record<string, unknown>)['enabled'];
  return kept({
    id,
    disabled: enabled === false || enabled === 0,
    authenticate: message('authenticate'),
    tokenUpdate: message('token_update'),
    unlockToken: unlockTokenOf(column('unlock_token'), column('unlock_token_b64')),
    bootstrapToken:
      bootstrap === undefined ? undefined : { place, bytes: fromBase64(bootstrap, 'bootstrap_token_b64') },
    fingerprint: column('sha256'),
  });
}

/** PostgreSQL shows bytes as hexadecimal digits after `\\x`; MySQL's are to be encoded in the statement. */
function unlockTokenOf(shown: string | undefined, base64: string | undefined): Uint8Array | undefined {
  if (base64 !== undefined) return fromBase64(base64, 'unlock_token_b64');
  if (shown === undefined) return undefined;
  if (!shown.startsWith('\\x')) throw new CliError('cli.file', 'unlock_token is not in hexadecimal digits after \\x');
  return fromHex(shown.slice(2), 'unlock_token');
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim();

/** Without what is not there. */
function kept(all: { readonly [K in keyof Kept]: Kept[K] | undefined }): Kept {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Kept;
}
