// What a store holds sealed, by the id of the key that sealed it; and whether the keys given open it.
import {
  createEngine,
  createKeyRing,
  INDEX_KEY_SETTING,
  type KeyRing,
  type MasterKey,
  type Store,
} from '@espalier/core';

/** Only tells who sealed: it has no key. */
const reader: KeyRing = createKeyRing({ current: { id: 'none', key: new Uint8Array(32) } });

/** The id of the key that sealed the canary; `null` when nothing was ever sealed. @throws CoreError `core.keys.wrong_key` when it is damaged */
export async function canaryKeyId(store: Store): Promise<string | null> {
  const sealed = await store.settings.get(INDEX_KEY_SETTING);
  return sealed === null ? null : reader.keyIdOf(Buffer.from(sealed, 'base64'));
}

/**
 * Opens the canary as a start of the engine does. To be called only where there is one: the engine makes one otherwise.
 * @throws CoreError `core.keys.wrong_key`
 */
export function openCanary(store: Store, id: string, key: MasterKey): Promise<void> {
  return createEngine({ store, keys: createKeyRing({ current: { id, key: key.key } }) }).ready();
}

/** How many values each key sealed, by its id. Reads through everything sealed. */
export async function sealedByKey(store: Store): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  let after: string | undefined;
  do {
    const page = await store.secrets.sealed({ limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { blob } of page.items) {
      const id = reader.keyIdOf(blob);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    after = page.next ?? undefined;
  } while (after !== undefined);
  return counts;
}
