// The push certificate's life: key and request, import, and the pair for the push client.
import {
  createCsr,
  type FileIdentity,
  generateKeyPair,
  isPkiError,
  localSigner,
  oids,
  readCertificate,
  readIdentityFiles,
  toPem,
  type UploadedFile,
} from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';
import type {
  PushCertificate,
  PushCertificateImport,
  PushCertificates,
  PushIdentity,
} from '../api/push-certificates.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

/** A scope of its own, sealed like an enrolment's secrets, and sealed anew with them. */
const SCOPE = 'push-certificate';
/** Tells which certificate is in force without opening anything: JSON of {@link PushCertificate}. */
export const PUSH_CERTIFICATE_SETTING = 'core.push-certificate';

/** The service, with what only the engine itself uses. */
export interface PushCertificateService extends PushCertificates {
  /** The certificate in force with its key; `null` where there is none. */
  identity(): Promise<PushIdentity | null>;
}

/** Makes the service. */
export function createPushCertificates(context: Context): PushCertificateService {
  const { store, vault, clock } = context;

  async function read(name: 'request' | 'current'): Promise<PlistDict | null> {
    await vault.ready();
    const blob = await store.secrets.get(SCOPE, name);
    return blob === null ? null : decodeDict(vault.open(blob, { kind: 'secret', key: [SCOPE, name] }));
  }

  async function write(name: 'request' | 'current', value: Parameters<typeof encodeXml>[0]): Promise<void> {
    await vault.ready();
    const blob = vault.seal(encodeXml(value), { kind: 'secret', key: [SCOPE, name] });
    await store.secrets.put({ scope: SCOPE, name, blob, at: clock.now() });
  }

  async function get(): Promise<PushCertificate | null> {
    const text = await store.settings.get(PUSH_CERTIFICATE_SETTING);
    return text === null ? null : (JSON.parse(text) as PushCertificate);
  }

  /** Puts certificate and key together: the key that came along, the one of the waiting request, or the one in force. */
  async function pair({ certificate, privateKey, password }: PushCertificateImport): Promise<FileIdentity> {
    const file: UploadedFile = { content: certificate };
    if (privateKey !== undefined) {
      const key = { content: privateKey, ...(password === undefined ? {} : { password }) };
      return await matching([file, key]);
    }
    const waiting = (await read('request'))?.['privateKey'];
    const current = (await read('current'))?.['privateKey'];
    const keys = [waiting, current].filter((key) => key instanceof Uint8Array);
    for (const [index, content] of keys.entries()) {
      try {
        return await matching([file, { content }]);
      } catch (error) {
        if (!(error instanceof CoreError) || index === keys.length - 1) throw error;
      }
    }
    throw new CoreError('core.push_certificate.key', 'invalid', 'there is no key for this certificate here', {
      remedy: 'Make a request first, or give the key with the certificate.',
    });
  }

  /** Another topic would leave every device behind that is enrolled with the one before. */
  async function checkTopic(topic: string): Promise<void> {
    const before = (await get())?.topic ?? (await topicInUse());
    if (before === undefined || before === topic) return;
    throw new CoreError('core.push_certificate.other_topic', 'conflict', `the topic is ${topic}, and was ${before}`, {
      remedy:
        'Renew the certificate in Apple’s portal with the Apple Account that made it, instead of making a new one.',
    });
  }

  async function topicInUse(): Promise<string | undefined> {
    const { items } = await store.enrolments.list({ channel: 'device', statuses: ['active'] }, { limit: 1 });
    return items[0]?.topic ?? undefined;
  }

  return {
    get,

    async request({ commonName = 'MDM push', email, country, fresh = false } = {}) {
      const waiting = fresh ? null : await read('request');
      if (waiting !== null) {
        return { csr: waiting['csr'] as Uint8Array, createdAt: (waiting['createdAt'] as Date).getTime() };
      }
      const { privateKey } = await generateKeyPair({ type: 'rsa', bits: 2048 });
      const csr = await createCsr({
        subject: [
          ...(country === undefined ? [] : [[{ type: oids.country, value: country }]]),
          [{ type: oids.commonName, value: commonName }],
          ...(email === undefined ? [] : [[{ type: oids.emailAddress, value: email }]]),
        ],
        signer: localSigner(privateKey),
      });
      const createdAt = clock.now();
      await write('request', { csr, privateKey, createdAt: new Date(createdAt) });
      const event = { type: 'push-certificate.requested', at: createdAt, enrolmentId: null, data: {} } as const;
      await store.events.append([event]);
      context.bus.poke();
      return { csr, createdAt };
    },

    async import(input) {
      const { certificate, privateKey, chain } = await pair(input);
      const { subjectName, notBefore, notAfter, serialNumber, fingerprintSha256 } = readCertificate(certificate);
      const topic = subjectName.flat().find(({ type }) => type === oids.userId)?.value;
      if (topic === undefined || !/^com\.apple\.mgmt\.[\w.-]{1,200}$/.test(topic)) {
        throw new CoreError('core.push_certificate.topic', 'invalid', 'this is no push certificate for MDM', {
          remedy: 'Its subject has a UID that begins with com.apple.mgmt.',
        });
      }
      const at = clock.now();
      if (at < notBefore.getTime() || at >= notAfter.getTime()) {
        throw new CoreError('core.push_certificate.dates', 'invalid', 'the certificate is not valid now');
      }
      if (input.replaceTopic !== true) await checkTopic(topic);
      const before = await get();
      const info: PushCertificate = {
        topic,
        fingerprint: fingerprintSha256,
        serialNumber,
        notBefore: notBefore.getTime(),
        notAfter: notAfter.getTime(),
        importedAt: at,
      };
      await write('current', { certificate, privateKey, chain: [...chain] });
      await store.settings.set(PUSH_CERTIFICATE_SETTING, JSON.stringify(info));
      await store.secrets.delete(SCOPE, 'request');
      const data = {
        topic,
        fingerprint: fingerprintSha256,
        notAfter: info.notAfter,
        replaces: before?.fingerprint ?? null,
      };
      await store.events.append([{ type: 'push-certificate.imported', at, enrolmentId: null, data }]);
      context.bus.poke();
      context.kick.notifier();
      return info;
    },

    async identity() {
      const current = await read('current');
      const info = await get();
      if (current === null || info === null) return null;
      const chain = current['chain'] as Uint8Array[];
      return {
        topic: info.topic,
        certificate: [current['certificate'] as Uint8Array, ...chain].map((der) => toPem(der)).join(''),
        privateKey: toPem(current['privateKey'] as Uint8Array, 'PRIVATE KEY'),
      };
    },
  };
}

async function matching(files: readonly UploadedFile[]): Promise<FileIdentity> {
  try {
    return await readIdentityFiles(files);
  } catch (cause) {
    if (!isPkiError(cause, 'pki.file.no_certificate') && !isPkiError(cause, 'pki.file.no_key')) throw cause;
    throw new CoreError('core.push_certificate.key', 'invalid', 'the certificate belongs to another key', {
      cause,
      remedy: 'Import the certificate of the request that waits here, or give its key with it.',
    });
  }
}
