// The escrow: secrets that unlock devices, sealed, with their history.
import { timingSafeEqual } from 'node:crypto';
import { compareVersions, isDict } from '@espalier/apple-mdm';
import { decryptRecoveryKey, PkiError } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';
import type { Escrow, EscrowEntry, EscrowKind } from '../api/recipes.ts';
import type { Context } from '../engine/context.ts';
import { allFacts } from '../engine/facts.ts';
import { CoreError } from '../errors.ts';

/** How many values are kept of each. */
const KEPT = 10;

/** A scope of its own: what unlocks a device must outlive its enrolment, whose secrets go when it enrols anew. */
const scopeOf = (enrolmentId: string): string => `escrow:${enrolmentId}`;

async function entries({ store, vault }: Context, enrolmentId: string, kind: EscrowKind): Promise<EscrowEntry[]> {
  const scope = scopeOf(enrolmentId);
  const blob = await store.secrets.get(scope, kind);
  if (blob === null) return [];
  const list = decodeDict(vault.open(blob, { kind: 'secret', key: [scope, kind] }))['entries'] as PlistDict[];
  return list.map((entry) => ({ value: entry['value'] as string, at: (entry['at'] as Date).getTime() }));
}

/** The value in force; `null` where there is none, or it was taken away. */
export async function escrowed(context: Context, enrolmentId: string, kind: EscrowKind): Promise<string | null> {
  const [newest] = await entries(context, enrolmentId, kind);
  return newest === undefined || newest.value === '' ? null : newest.value;
}

/** Keeps a value, unless it is the newest already. Gives the newest. */
export async function escrow(
  context: Context,
  enrolmentId: string,
  kind: EscrowKind,
  value: string,
): Promise<EscrowEntry> {
  const { store, vault, clock } = context;
  const before = await entries(context, enrolmentId, kind);
  if (before[0]?.value === value) return before[0];
  const at = clock.now();
  const scope = scopeOf(enrolmentId);
  const kept = [{ value, at }, ...before].slice(0, KEPT);
  const bytes = encodeXml({ entries: kept.map((entry) => ({ value: entry.value, at: new Date(entry.at) })) });
  await store.secrets.put({ scope, name: kind, blob: vault.seal(bytes, { kind: 'secret', key: [scope, kind] }), at });
  await store.events.append([{ type: 'escrow.stored', at, enrolmentId, data: { kind, removed: value === '' } }]);
  return { value, at };
}

/** Keeps the FileVault recovery key that a `SecurityInfo` brings along, where there is an identity to read it with. */
export async function escrowRecoveryKey(context: Context, enrolmentId: string, value: PlistDict): Promise<void> {
  const info = value['SecurityInfo'];
  const cms = isDict(info) ? info['FDE_PersonalRecoveryKeyCMS'] : undefined;
  if (context.escrowIdentity === undefined || !(cms instanceof Uint8Array)) return;
  let key: string;
  try {
    key = decryptRecoveryKey(cms, context.escrowIdentity);
  } catch (error) {
    context.logger.warn({ error, enrolmentId }, 'a FileVault recovery key cannot be decrypted');
    return;
  }
  await escrow(context, enrolmentId, 'filevault-key', key);
}

/** From here on a Mac keeps its key for `SecurityInfo`, and passes the redirection over (Apple's schema). */
const KEEPS_ITS_KEY = '10.13';

const redirectWord = ({ vault }: Context, enrolmentId: string): Promise<string> =>
  vault.hash('recovery-key-redirect', enrolmentId);

/** Whether an enrolment is a Mac of which a key is expected at the redirect address. */
async function expectsRedirect(context: Context, enrolmentId: string, serialNumber: string): Promise<boolean> {
  const [row] = await context.store.inventory.rows([enrolmentId]);
  if (row === undefined || row.enrolment.status !== 'active' || row.enrolment.channel !== 'device') return false;
  const { 'common.platform': platform, 'common.os_version': version } = allFacts(row);
  const early = typeof version !== 'string' || compareVersions(version, KEEPS_ITS_KEY) < 0;
  return platform === 'macOS' && early && row.enrolment.serialNumber === serialNumber;
}

async function redirected(
  context: Context,
  { enrolmentId, word, serialNumber, cms }: Parameters<Escrow['redirected']>[0],
): Promise<EscrowEntry> {
  const { escrowIdentity } = context;
  const [given, wanted] = [Buffer.from(word), Buffer.from(await redirectWord(context, enrolmentId))];
  const isRight = given.length === wanted.length && timingSafeEqual(given, wanted);
  if (!isRight || !(await expectsRedirect(context, enrolmentId, serialNumber))) {
    throw new CoreError('core.escrow.not_expected', 'forbidden', 'no recovery key of this Mac is expected here');
  }
  if (escrowIdentity === undefined) {
    throw new CoreError('core.escrow.no_identity', 'unavailable', 'recovery keys cannot be decrypted', {
      remedy: 'give the engine an escrow identity, whose certificate the Mac encrypts to',
    });
  }
  let key: string;
  try {
    key = decryptRecoveryKey(cms, escrowIdentity);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    const message = `the recovery key cannot be read: ${error.message}`;
    throw new CoreError('core.escrow.unreadable', 'invalid', message, { cause: error });
  }
  return await escrow(context, enrolmentId, 'filevault-key', key);
}

/** Makes the escrow service. */
export function createEscrow(context: Context): Escrow {
  return {
    async read(enrolmentId, kind) {
      await context.vault.ready();
      const found = await entries(context, enrolmentId, kind);
      const data = { kind, found: found.length };
      await context.store.events.append([{ type: 'escrow.read', at: context.clock.now(), enrolmentId, data }]);
      context.bus.poke();
      return found;
    },
    async store(enrolmentId, kind, value) {
      await context.vault.ready();
      await escrow(context, enrolmentId, kind, value);
      context.bus.poke();
    },
    async redirectWord(enrolmentId) {
      await context.vault.ready();
      return await redirectWord(context, enrolmentId);
    },
    async redirected(key) {
      await context.vault.ready();
      const entry = await redirected(context, key);
      context.bus.poke();
      return entry;
    },
  };
}
