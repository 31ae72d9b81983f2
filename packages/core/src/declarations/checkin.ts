// The DeclarativeManagement check-in: tokens, manifest, declarations, status.
import { type DeclarativeManagement, declarationItemsResponse, tokensResponse } from '@espalier/apple-mdm';
import type { Context } from '../engine/context.ts';
import type { LabelService } from '../engine/labels.ts';
import { CoreError } from '../errors.ts';
import { takeReport } from './report.ts';
import { declarationBytes, EMPTY_TOKEN, isOfKind, type SnapshotItem } from './snapshot.ts';

/** Snapshots that are remembered: a token never stands for anything else, and many devices share one. */
const REMEMBERED = 500;

/** Answers check-ins. */
export interface DeclarationCheckins {
  handle(enrolmentId: string, message: DeclarativeManagement): Promise<Uint8Array | null>;
  /** The items behind a token. */
  snapshot(token: string): Promise<readonly SnapshotItem[]>;
}

/** Makes the handler. */
export function createDeclarationCheckins(context: Context, labels: LabelService): DeclarationCheckins {
  const { store, clock } = context;
  const remembered = new Map<string, readonly SnapshotItem[]>();

  async function snapshot(token: string): Promise<readonly SnapshotItem[]> {
    if (token === EMPTY_TOKEN) return [];
    const known = remembered.get(token);
    if (known !== undefined) return known;
    const text = await store.declarations.snapshot(token);
    if (text === null) {
      throw new CoreError('core.declaration.snapshot', 'unavailable', 'what the device is to have is being made anew');
    }
    const items = JSON.parse(text) as readonly SnapshotItem[];
    if (remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value as string);
    remembered.set(token, items);
    return items;
  }

  async function declaration(token: string, kind: string, identifier: string): Promise<Uint8Array> {
    const item = (await snapshot(token)).find((one) => one.identifier === identifier);
    if (item !== undefined && isOfKind(item.type, kind)) {
      if (item.payload !== undefined) return declarationBytes({ ...item, payload: item.payload });
      // The newest revision, which may be newer than the manifest: the device then has it already when it is told.
      const [stored] = await store.declarations.getMany([identifier]);
      if (stored !== undefined && isOfKind(stored.type, kind)) return declarationBytes(stored);
    }
    throw new CoreError('core.declaration.unknown', 'not-found', 'this declaration is not for this device');
  }

  return {
    snapshot,
    async handle(id, message) {
      const at = clock.now();
      const { target } = message;
      const sync = (await store.declarations.syncs([id])).get(id);
      const token = sync?.token ?? EMPTY_TOKEN;
      switch (target.kind) {
        case 'tokens':
          return tokensResponse({ declarationsToken: token, timestamp: sync?.tokenAt ?? at });
        case 'declaration-items': {
          const items = await snapshot(token);
          const data = { token, declarations: items.length };
          const event = { type: 'declarations.fetched', at, enrolmentId: id, data } as const;
          if (sync !== undefined) await store.declarations.fetched({ enrolmentId: id, token, at, event });
          return declarationItemsResponse(items, token);
        }
        case 'declaration':
          return declaration(token, target.type, target.identifier);
        case 'status': {
          if (message.data === undefined) {
            throw new CoreError('core.declaration.no_data', 'invalid', 'a status report needs Data');
          }
          if (sync === undefined) {
            await store.declarations.assign({ snapshots: [], put: [{ enrolmentId: id, token }], at });
          }
          await takeReport(context, labels, id, message.data, snapshot);
          return null;
        }
        default:
          throw new CoreError('core.declaration.endpoint', 'not-found', 'this endpoint is not known');
      }
    },
  };
}
