// Opens the data folder: makes on the first start, and finds again on every other, what a server needs to be itself.
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import type { Clock, KeyRing, RandomBytes } from '@espalier/core';
import {
  type AlternativeName,
  type CertificateAuthority,
  type CertificateTemplate,
  type DistinguishedName,
  generateKeyPair,
  type Identity,
  type KeySpec,
  localSigner,
  oids,
  openCa,
  readCertificate,
  type Signer,
  signCms,
  type TemplateName,
  toPem,
} from '@espalier/pki';
import { createAdminToken, hashAdminToken } from '../api/auth.ts';
import { publicUrls } from '../enrol/profile.ts';
import { HostError } from '../errors.ts';
import { openAuthorities, retireAuthority, serverIssuer, writeRoots } from './authorities.ts';
import { prepareFolder, readWhole, removeLeftovers, writeWhole } from './files.ts';
import { lockFolder } from './lock.ts';
import {
  damaged,
  type MasterKeyInput,
  openKeyRing,
  openSealed,
  readIdentity,
  readJson,
  writeIdentity,
} from './secrets.ts';

/** How to open a data folder. */
export interface DataFolderOptions {
  /** The address that devices use; its host goes into the TLS certificate next to localhost. */
  readonly publicUrl?: string;
  /**
   * Where this server is reached for revocations, with `http:` as is usual (`http://mdm.example.com`): the addresses of
   * the CRL and of OCSP below it go into every device's certificate issued from now on (default: none).
   */
  readonly revocationUrl?: string;
  /** Who runs this: the name of the CA (default `Espalier`). Only the first start uses it. */
  readonly organisation?: string;
  /** 32 bytes, or their base64 or hexadecimal text, kept elsewhere (default: the file `master.key` in the folder). */
  readonly masterKey?: MasterKeyInput;
  /**
   * Earlier master keys, besides those of the file `master.earlier.key`: what they sealed in the folder is sealed anew when
   * the folder is opened, what they sealed in the store while the engine runs.
   */
  readonly earlierMasterKeys?: readonly MasterKeyInput[];
  /** Make a new admin token; the one before it is no longer valid. */
  readonly newAdminToken?: boolean;
  /** Keep other processes out until `close` (default true). Tools that only look may set it to false. */
  readonly exclusive?: boolean;
  /** How long to wait for another process to leave the folder, in milliseconds (default 5,000). */
  readonly lockWaitMs?: number;
  /**
   * A step of changing the authority: `prepare` makes the next one, which profiles and SCEP announce from then on;
   * `promote` has it issue, and keeps the earlier one trusted. Repeated, either does nothing.
   */
  readonly rollover?: 'prepare' | 'promote';
  readonly clock?: Clock;
  readonly random?: RandomBytes;
}

/** An open data folder. */
export interface DataFolder {
  /** The folder's absolute path. */
  readonly path: string;
  /** A file in it: `folder.file('espalier.sqlite')`. */
  file(name: string): string;
  /** Seals what the engine keeps; over the folder's master key. */
  readonly keys: KeyRing;
  /** The root authority, RSA, whose key is sealed in the folder. */
  readonly ca: CertificateAuthority;
  /** The authority after it, when there is one, and those before it, oldest first: what `createHost` takes as `rollover`. */
  readonly rollover: {
    readonly next?: { readonly certificate: Uint8Array };
    readonly earlier: readonly { readonly certificate: Uint8Array; readonly signer: Signer }[];
    /** Takes an earlier one out of the folder, by key identifier: it is trusted until the next start. */
    readonly retire: (keyId: string) => Promise<boolean>;
  };
  /** Key and chain in PEM for `node:https`: for localhost, 127.0.0.1, ::1 and the host of `publicUrl`. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** Signs enrolment and configuration profiles with an identity of the CA. */
  signProfile(profile: Uint8Array): Uint8Array;
  /**
   * To which Macs encrypt their FileVault recovery keys: what `createEngine` takes as `escrowIdentity`, its certificate what
   * `createCompiler` takes as `recoveryKeyCertificate`. Made once and never renewed: Macs keep what they encrypted to it.
   */
  readonly escrowIdentity: Identity;
  /** What `createHost` takes as one of `adminTokens`. */
  readonly adminTokenHash: string;
  /** The admin token, when it was made just now; nowhere else is it kept. */
  readonly adminToken: string | null;
  /** What `createHost` takes as `sessionSecret`: sessions outlive a restart. */
  readonly sessionSecret: Uint8Array;
  /** Lets other processes in. */
  close(): Promise<void>;
}

const DAY = 86_400_000;
/** Safari and others refuse server certificates that are valid for longer than 398 days. */
const TLS_DAYS = 397;
const TLS_RENEW_DAYS = 30;
const SIGNING_DAYS = 1095;
const SIGNING_RENEW_DAYS = 90;
const ESCROW_DAYS = 10_950;

const signingTemplate: CertificateTemplate = {
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [oids.emailProtection],
};

const escrowTemplate: CertificateTemplate = {
  keyUsage: ['keyEncipherment', 'dataEncipherment'],
  extendedKeyUsage: [],
};

/**
 * Opens a data folder, making on the first start: a master key (0600), a root CA whose key is sealed with it, a TLS
 * server identity, an identity that signs profiles, one that FileVault recovery keys are encrypted to, and an admin token of which only the hash is kept. Every file is
 * written whole or not at all, so a crash at any moment leaves a folder that opens.
 *
 * @throws HostError `host.data.in_use`, `host.data.permissions`, `host.data.not_a_folder`, `host.data.master_key`,
 *   `host.data.master_key_missing`, `host.data.wrong_key`, `host.data.damaged`, `host.data.io`, `host.data.no_next_ca`, `host.options`
 * @example
 * const data = await openDataFolder('./data', { publicUrl: 'https://mdm.example.com' });
 * if (data.adminToken) console.log(`Admin token (shown once): ${data.adminToken}`);
 */
export async function openDataFolder(dir: string, options: DataFolderOptions = {}): Promise<DataFolder> {
  const clock = options.clock ?? Date;
  const random = options.random ?? ((length: number) => new Uint8Array(randomBytes(length)));
  const path = resolve(dir);
  const file = (name: string) => join(path, name);
  await prepareFolder(path);
  const unlock = await lockFolder(path, options.lockWaitMs ?? 5_000);
  try {
    await removeLeftovers(path);
    const hasData = (await readWhole(file('ca.json'))) !== null;
    const keys = await openKeyRing(path, options.masterKey, options.earlierMasterKeys ?? [], random, hasData);
    const organisation = options.organisation ?? 'Espalier';
    const authorities = await openAuthorities(path, keys, organisation, clock, options.rollover);
    const { current, next } = authorities;
    const issuer = serverIssuer(authorities, clock, SIGNING_RENEW_DAYS);
    const roots = [current, ...authorities.earlier, ...(next === null ? [] : [next])];
    await writeRoots(
      path,
      [issuer, ...roots.filter((root) => root !== issuer)].map(({ certificate }) => certificate),
    );
    // The server's own certificates are in no register, so that nothing could be told of them.
    const own = await openCa({ ...issuer, clock });
    const tls = await serverIdentity(path, keys, own, hostOf(options.publicUrl), clock);
    const signing = await signingIdentity(path, keys, own, clock);
    const escrowIdentity = (await readIdentity(path, 'escrow', keys)) ?? (await newEscrowIdentity(path, keys, own));
    const ca = await openCa({ ...current, clock, ...revocationUrls(options.revocationUrl, current) });
    const earlier = authorities.earlier.map(({ certificate, privateKey }) => ({
      certificate,
      signer: localSigner(privateKey),
    }));
    const sessionSecret = await secretOf(path, keys, random);
    const { hash, token } = await adminToken(path, random, options.newAdminToken ?? false);
    if (options.exclusive === false) unlock();

    return {
      path,
      file,
      keys,
      ca,
      rollover: {
        ...(next === null ? {} : { next: { certificate: next.certificate } }),
        earlier,
        retire: (keyId) => retireAuthority(path, keys, keyId),
      },
      tls: { key: toPem(tls.privateKey, 'PRIVATE KEY'), cert: toPem(tls.certificate) },
      signProfile: (profile) =>
        signCms(profile, { ...signing, chain: [own.certificate], signingTime: new Date(clock.now()) }),
      escrowIdentity,
      adminTokenHash: hash,
      adminToken: token,
      sessionSecret,
      close: async () => {
        if (options.exclusive !== false) unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

function revocationUrls(url: string | undefined, { certificate }: Identity) {
  if (url === undefined) return {};
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new HostError('invalid', 'host.options', `revocationUrl "${url}" is not an http: or https: address.`);
  }
  const { crl, ocsp, base } = publicUrls(url);
  // Of this authority, also when another one has followed.
  const id = readCertificate(certificate).subjectKeyIdentifier ?? '';
  return { crlUrls: [`${crl}/${id}`], ocspUrls: [ocsp], issuerUrls: [`${base}/ca.crt/${id}`] };
}

async function serverIdentity(
  path: string,
  keys: KeyRing,
  ca: CertificateAuthority,
  host: string,
  clock: Clock,
): Promise<Identity> {
  const names = [...new Set(['localhost', '127.0.0.1', '::1', host])];
  const old = await readIdentity(path, 'tls', keys);
  if (old !== null && stillFits(old, ca, clock, TLS_RENEW_DAYS)) {
    const { sans } = readCertificate(old.certificate);
    if (names.every((name) => sans.some((san) => sameName(san, altName(name))))) return old;
  }
  return await issue(path, 'tls', keys, ca, {
    subject: [[{ type: oids.commonName, value: host }]],
    sans: names.map(altName),
    template: 'tls-server',
    validityDays: TLS_DAYS,
  });
}

async function signingIdentity(path: string, keys: KeyRing, ca: CertificateAuthority, clock: Clock): Promise<Identity> {
  const old = await readIdentity(path, 'profile-signing', keys);
  if (old !== null && stillFits(old, ca, clock, SIGNING_RENEW_DAYS)) return old;
  return await issue(path, 'profile-signing', keys, ca, {
    subject: [[{ type: oids.commonName, value: 'Profile signing' }]],
    template: signingTemplate,
    validityDays: SIGNING_DAYS,
  });
}

/** As long as the authority: what is encrypted to it waits on Macs until it is asked for. */
const newEscrowIdentity = (path: string, keys: KeyRing, ca: CertificateAuthority): Promise<Identity> =>
  issue(path, 'escrow', keys, ca, {
    subject: [[{ type: oids.commonName, value: 'Recovery key escrow' }]],
    key: { type: 'rsa', bits: 2048 },
    template: escrowTemplate,
    validityDays: ESCROW_DAYS,
  });

async function issue(
  path: string,
  name: string,
  keys: KeyRing,
  ca: CertificateAuthority,
  given: {
    readonly subject: DistinguishedName;
    readonly sans?: readonly AlternativeName[];
    readonly template: TemplateName | CertificateTemplate;
    readonly validityDays: number;
    readonly key?: KeySpec;
  },
): Promise<Identity> {
  const { key = { type: 'ec', curve: 'P-256' }, ...request } = given;
  const { publicKey, privateKey } = await generateKeyPair(key);
  const certificate = new Uint8Array(await ca.issue({ ...request, publicKey }));
  const identity = { certificate, privateKey };
  await writeIdentity(path, name, keys, identity);
  return identity;
}

function stillFits(identity: Identity, ca: CertificateAuthority, clock: Clock, days: number): boolean {
  const { notAfter, authorityKeyIdentifier } = readCertificate(identity.certificate);
  const issuer = readCertificate(ca.certificate).subjectKeyIdentifier;
  return authorityKeyIdentifier === issuer && notAfter.getTime() - clock.now() > days * DAY;
}

async function secretOf(path: string, keys: KeyRing, random: RandomBytes): Promise<Uint8Array> {
  const file = join(path, 'session.json');
  const place = ['data-folder', 'session'];
  const write = (secret: Uint8Array) =>
    writeWhole(
      file,
      `${JSON.stringify({ sealed: Buffer.from(keys.seal(secret, place)).toString('base64') })}\n`,
      0o600,
    );
  const content = await readJson(file);
  if (content === null) {
    const secret = random(32);
    await write(secret);
    return secret;
  }
  if (typeof content['sealed'] !== 'string') throw damaged(file);
  const sealed = Buffer.from(content['sealed'], 'base64');
  const secret = openSealed(keys, file, sealed, place);
  if (keys.keyIdOf(sealed) !== keys.currentId) await write(secret);
  return secret;
}

async function adminToken(
  path: string,
  random: RandomBytes,
  renew: boolean,
): Promise<{ hash: string; token: string | null }> {
  const file = join(path, 'admin.json');
  const content = await readJson(file);
  if (content !== null && !renew) {
    if (typeof content['tokenHash'] !== 'string') throw damaged(file);
    return { hash: content['tokenHash'], token: null };
  }
  const token = createAdminToken(random);
  const hash = hashAdminToken(token);
  await writeWhole(file, `${JSON.stringify({ tokenHash: hash })}\n`, 0o600);
  return { hash, token };
}

function hostOf(publicUrl: string | undefined): string {
  if (publicUrl === undefined) return 'localhost';
  if (!URL.canParse(publicUrl)) {
    throw new HostError('invalid', 'host.options', `publicUrl "${publicUrl}" is not an address.`);
  }
  return new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');
}

function altName(name: string): AlternativeName & { readonly value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

function sameName(left: AlternativeName, right: AlternativeName & { readonly value: string }): boolean {
  if (left.type !== right.type || left.type === 'other') return false;
  return canonical(left.value) === canonical(right.value);
}

/** One spelling for each address: IPv6 has many. */
function canonical(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname : name.toLowerCase();
}
