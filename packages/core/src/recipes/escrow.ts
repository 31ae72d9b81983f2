// The escrow: secrets that unlock devices, sealed, with their history.
import { isDict } from '@espalier/apple-mdm';
import { decryptRecoveryKey } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';
import type { Escrow, EscrowEntry, EscrowKind } from '../api/recipes.ts';
import type { Context } from '../engine/context.ts';

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

/** Keeps a value, unless it is the newest already. */
export async function escrow(context: Context, enrolmentId: string, kind: EscrowKind, value: string): Promise<void> {
  const { store, vault, clock } = context;
  const before = await entries(context, enrolmentId, kind);
  if (before[0]?.value === value) return;
  const at = clock.now();
  const scope = scopeOf(enrolmentId);
  const kept = [{ value, at }, ...before].slice(0, KEPT);
  const bytes = encodeXml({ entries: kept.map((entry) => ({ value: entry.value, at: new Date(entry.at) })) });
  await store.secrets.put({ scope, name: kind, blob: vault.seal(bytes, { kind: 'secret', key: [scope, kind] }), at });
  await store.events.append([{ type: 'escrow.stored', at, enrolmentId, data: { kind, removed: value === '' } }]);
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
  };
}
