// The data folder's authorities: the one that issues, the one that follows, and those before it.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, KeyRing } from '@espalier/core';
import { createRootCa, fingerprintSha256, type Identity, oids, readCertificate, toPem } from '@espalier/pki';
import { HostError } from '../errors.ts';
import { readWhole, writeWhole } from './files.ts';
import { readIdentity, writeIdentity } from './secrets.ts';

/** The authorities as they are kept. */
export interface StoredAuthorities {
  readonly current: Identity;
  readonly next: Identity | null;
  /** Oldest first; those that ended long ago are left out. */
  readonly earlier: readonly Identity[];
}

const DAY = 86_400_000;
/** Devices renew for a while after the end of their certificate, which is at most that of its authority. */
const GRACE_DAYS = 30;
const EARLIER = /^(ca-earlier-[0-9a-f]{16})\.json$/;

/**
 * Reads the authorities, making the first one; `prepare` makes the next one unless it is there, `promote` has it issue.
 * Every file is whole whenever the process stops, and the same step again goes on where it stopped.
 *
 * @throws HostError `host.data.no_next_ca` where there is none to promote
 */
export async function openAuthorities(
  path: string,
  keys: KeyRing,
  organisation: string,
  clock: Clock,
  step: 'prepare' | 'promote' | undefined,
): Promise<StoredAuthorities> {
  const current = await readIdentity(path, 'ca', keys);
  if (current === null) {
    const first = await makeRoot(organisation, `${organisation} root`, clock);
    await writeIdentity(path, 'ca', keys, first);
    if (step === 'promote') throw noNext();
    return step === 'prepare'
      ? { current: first, next: await prepare(path, keys, organisation, clock, 2), earlier: [] }
      : { current: first, next: null, earlier: [] };
  }
  const earlier = (await readEarlier(path, keys)).filter((identity) => !same(identity, current));
  let next = await readIdentity(path, 'ca-next', keys);
  if (next !== null && same(next, current)) {
    // The promotion was cut off before its last step.
    await rm(join(path, 'ca-next.json'), { force: true });
    next = null;
  }
  if (step === 'promote' && next !== null) {
    await writeIdentity(path, earlierName(current), keys, current);
    await writeIdentity(path, 'ca', keys, next);
    await rm(join(path, 'ca-next.json'), { force: true });
    return { current: next, next: null, earlier: living([...earlier, current], clock) };
  }
  // Asked for again, at the next start of the same command line, it is done already.
  if (step === 'promote' && earlier.length === 0) throw noNext();
  if (step === 'prepare' && next === null) {
    next = await prepare(path, keys, organisationOf(current) ?? organisation, clock, earlier.length + 2);
  }
  return { current, next, earlier: living(earlier, clock) };
}

/** Takes an earlier authority, by key identifier, out of the folder; false when there is none. */
export async function retireAuthority(path: string, keys: KeyRing, keyId: string): Promise<boolean> {
  const found = (await readEarlier(path, keys)).find(
    ({ certificate }) => readCertificate(certificate).subjectKeyIdentifier === keyId,
  );
  if (found === undefined) return false;
  await rm(join(path, `${earlierName(found)}.json`), { force: true });
  return true;
}

/** Writes `ca.pem`, a copy for people, to be trusted by browsers; the truth is in the sealed files. */
export async function writeRoots(path: string, certificates: readonly Uint8Array[]): Promise<void> {
  const file = join(path, 'ca.pem');
  const pem = certificates.map((certificate) => toPem(certificate)).join('');
  if ((await readWhole(file)) !== pem) await writeWhole(file, pem, 0o644);
}

/**
 * Who vouches for the server itself: the oldest authority that lasts for `days` more. Every device trusts that one;
 * a younger one only those that have had a profile since it was made.
 */
export function serverIssuer({ current, earlier }: StoredAuthorities, clock: Clock, days: number): Identity {
  return earlier.find(({ certificate }) => endOf(certificate) - clock.now() > days * DAY) ?? current;
}

async function prepare(path: string, keys: KeyRing, organisation: string, clock: Clock, nr: number): Promise<Identity> {
  const next = await makeRoot(organisation, `${organisation} root ${nr}`, clock);
  await writeIdentity(path, 'ca-next', keys, next);
  return next;
}

/** RSA, since SCEP clients encrypt their requests to this key. */
async function makeRoot(organisation: string, commonName: string, clock: Clock): Promise<Identity> {
  return await createRootCa({
    subject: [[{ type: oids.organization, value: organisation }], [{ type: oids.commonName, value: commonName }]],
    key: { type: 'rsa', bits: 3072 },
    clock,
  });
}

async function readEarlier(path: string, keys: KeyRing): Promise<Identity[]> {
  const found: Identity[] = [];
  for (const name of await readdir(path)) {
    const identity = EARLIER.test(name) ? await readIdentity(path, name.replace('.json', ''), keys) : null;
    if (identity !== null) found.push(identity);
  }
  const start = ({ certificate }: Identity): number => readCertificate(certificate).notBefore.getTime();
  return found.sort((a, b) => start(a) - start(b));
}

const earlierName = ({ certificate }: Identity): string => `ca-earlier-${fingerprintSha256(certificate).slice(0, 16)}`;

const endOf = (certificate: Uint8Array): number => readCertificate(certificate).notAfter.getTime();

const living = (identities: readonly Identity[], clock: Clock): Identity[] =>
  identities.filter(({ certificate }) => endOf(certificate) + GRACE_DAYS * DAY > clock.now());

const same = (a: Identity, b: Identity): boolean => Buffer.compare(a.certificate, b.certificate) === 0;

function organisationOf({ certificate }: Identity): string | undefined {
  return readCertificate(certificate)
    .subjectName.flat()
    .find(({ type }) => type === oids.organization)?.value;
}

function noNext(): HostError {
  return new HostError('conflict', 'host.data.no_next_ca', 'There is no next authority to promote.', {
    remedy: 'Prepare one first, and give devices time to get a profile with it.',
  });
}
