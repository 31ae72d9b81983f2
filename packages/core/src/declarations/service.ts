// The service: declarations, sets, and what devices make of them.
import {
  checkReferences,
  type DeclarationProblem,
  declarationKinds,
  declarationReferences,
  type JsonInput,
  rawDeclaration,
} from '@espalier/apple-mdm';
import type { DeclarationInput, Declarations, DeviceDeclaration, StoredDeclaration } from '../api/declarations.ts';
import type { DeclarationStateRecord } from '../contracts/declarations.ts';
import { allPages, type Context, pageOf } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { checkDeclaration } from './check.ts';
import type { DeclarationCheckins } from './checkin.ts';
import { REPORTS_KEPT, readStatus, reportName } from './report.ts';
import { createSets } from './sets.ts';
import { type SnapshotItem, withReferences } from './snapshot.ts';
import type { DeclarationSyncer } from './sync.ts';

/** Makes the service. */
export function createDeclarations(
  context: Context,
  checkins: DeclarationCheckins,
  syncer: DeclarationSyncer,
): Declarations {
  const { store, clock, vault } = context;
  const { declarations } = store;

  async function find(identifier: string): Promise<StoredDeclaration | null> {
    return (await declarations.getMany([identifier]))[0] ?? null;
  }

  /** All declarations that name this one, directly or through others, and itself. */
  async function concerning(identifier: string): Promise<readonly string[]> {
    const namedBy = new Map<string, string[]>();
    for await (const page of allPages((request) => declarations.list(request))) {
      for (const one of page) {
        for (const reference of declarationReferences(one.type, one.payload)) {
          const list = namedBy.get(reference.identifier);
          if (list === undefined) namedBy.set(reference.identifier, [one.identifier]);
          else list.push(one.identifier);
        }
      }
    }
    const found = new Set([identifier]);
    for (const one of found) for (const by of namedBy.get(one) ?? []) found.add(by);
    return [...found];
  }

  const changed = (identifier: string, version: number, change: string) =>
    ({
      type: 'declaration.changed',
      at: clock.now(),
      enrolmentId: null,
      data: { identifier, version, change },
    }) as const;

  async function write(input: DeclarationInput): Promise<StoredDeclaration | 'conflict'> {
    const { identifier, type } = input;
    const { kind, payload, content } = checkDeclaration(input);
    const old = await find(identifier);
    const { serverToken } = rawDeclaration(type, identifier, payload as Readonly<Record<string, JsonInput>>);
    const description = input.description ?? old?.description ?? '';
    const same = old?.serverToken === serverToken && old.description === description;
    if (same && JSON.stringify(old.content) === JSON.stringify(content)) return old;
    await refuseWrongReferences(input, payload);
    const at = clock.now();
    const scope = contentScope(identifier);
    if (content !== null && input.content !== undefined) {
      const blob = vault.seal(input.content.bytes, { kind: 'secret', key: [scope, content.sha256] });
      await store.secrets.put({ scope, name: content.sha256, blob, at });
    }
    const next: StoredDeclaration = {
      identifier,
      type,
      kind,
      description,
      payload,
      serverToken,
      content,
      version: (old?.version ?? 0) + 1,
      createdAt: old?.createdAt ?? at,
      updatedAt: at,
    };
    const event = changed(identifier, next.version, old === null ? 'created' : 'updated');
    const concerned = old?.serverToken === serverToken ? [] : await concerning(identifier);
    const outcome = await declarations.put(next, old?.version ?? null, { concerning: concerned, at, event });
    if (outcome === 'conflict') return outcome;
    if (old?.content != null && old.content.sha256 !== content?.sha256) {
      await store.secrets.delete(scope, old.content.sha256);
    }
    context.bus.poke();
    return next;
  }

  /** What it names may come later, but what is there must fit. */
  async function refuseWrongReferences(
    { identifier, type }: DeclarationInput,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const references = declarationReferences(type, payload).map((reference) => reference.identifier);
    const named = await declarations.getMany(references);
    const problems = checkReferences([{ identifier, type, payload }, ...named]);
    const wrong = problems.find((problem) => problem.identifier === identifier && problem.code === 'wrong-type');
    if (wrong === undefined) return;
    throw new CoreError('core.declaration.invalid', 'invalid', wrong.message, { at: { path: wrong.path } });
  }

  return {
    async put(input) {
      await vault.ready();
      for (let attempt = 0; attempt < 5; attempt++) {
        const written = await write(input);
        if (written !== 'conflict') return written;
      }
      throw new CoreError('core.declaration.conflict', 'conflict', 'the declaration is being changed by others', {
        remedy: 'read it again and repeat the change',
      });
    },

    async delete(identifier) {
      const declaration = await find(identifier);
      if (declaration === null) throw unknownDeclaration(identifier);
      const by = (await concerning(identifier)).filter((one) => one !== identifier);
      const outcome =
        by.length > 0
          ? 'in-use'
          : await declarations.delete(identifier, changed(identifier, declaration.version, 'deleted'));
      if (outcome === 'unknown') throw unknownDeclaration(identifier);
      if (outcome === 'in-use') {
        const who = by.length > 0 ? `${by.slice(0, 5).join(', ')} name it` : 'a set holds it';
        throw new CoreError('core.declaration.in_use', 'conflict', `the declaration is in use: ${who}`, {
          remedy: 'take it out first',
        });
      }
      if (declaration.content !== null) {
        await store.secrets.delete(contentScope(identifier), declaration.content.sha256);
      }
      context.bus.poke();
    },

    get: find,
    list: (page) => declarations.list(pageOf(page)),

    async check(identifiers): Promise<readonly DeclarationProblem[]> {
      return checkReferences(await withReferences(identifiers, new Map(), (missing) => declarations.getMany(missing)));
    },

    ...createSets(context),

    async sync(enrolmentId) {
      const found = (await declarations.syncs([enrolmentId])).get(enrolmentId);
      if (found === undefined) return null;
      const { token, tokenAt, deviceToken, fetchedAt, askedAt, reportedAt } = found;
      return { token, tokenAt, deviceToken, fetchedAt, askedAt, reportedAt };
    },

    async ofDevice(enrolmentId) {
      const sync = (await declarations.syncs([enrolmentId])).get(enrolmentId);
      const items = sync === undefined ? [] : await checkins.snapshot(sync.token);
      const states = new Map((await declarations.statesOf(enrolmentId)).map((state) => [state.identifier, state]));
      const rows = items.map((item) => deviceDeclaration(enrolmentId, item, states.get(item.identifier)));
      const wanted = new Set(items.map((item) => item.identifier));
      for (const state of states.values()) {
        if (!wanted.has(state.identifier)) rows.push(deviceDeclaration(enrolmentId, null, state));
      }
      return rows.sort(
        (a, b) =>
          declarationKinds.indexOf(a.kind) - declarationKinds.indexOf(b.kind) || (a.identifier < b.identifier ? -1 : 1),
      );
    },

    async onDevices(identifier, page) {
      const { items, next } = await declarations.statesOn(identifier, pageOf(page));
      const syncs = await declarations.syncs(items.map((state) => state.enrolmentId));
      const rows: DeviceDeclaration[] = [];
      for (const state of items) {
        const token = syncs.get(state.enrolmentId)?.token;
        const wanted = token === undefined ? [] : await checkins.snapshot(token);
        const item = wanted.find((one) => one.identifier === identifier) ?? null;
        rows.push(deviceDeclaration(state.enrolmentId, item, state));
      }
      return { items: rows, next };
    },

    async status(enrolmentId) {
      return Object.fromEntries(readStatus(await declarations.status(enrolmentId)));
    },

    async reports(enrolmentId) {
      await vault.ready();
      const count = (await declarations.syncs([enrolmentId])).get(enrolmentId)?.reports ?? 0;
      const reports: { at: number; bytes: Uint8Array }[] = [];
      for (let number = count - 1; number >= Math.max(0, count - REPORTS_KEPT); number--) {
        const name = reportName(number);
        const blob = await store.secrets.get(enrolmentId, name);
        if (blob === null) continue;
        const kept = Buffer.from(vault.open(blob, { kind: 'secret', key: [enrolmentId, name] }));
        const end = kept.indexOf(0x0a);
        reports.push({ at: Number(kept.subarray(0, end).toString()), bytes: new Uint8Array(kept.subarray(end + 1)) });
      }
      return reports;
    },

    async ask(enrolmentIds) {
      await vault.ready();
      const syncs = await declarations.syncs(enrolmentIds);
      return syncer.ask([...syncs].map(([enrolmentId, { token }]) => ({ enrolmentId, token })));
    },

    async content(certificateFingerprint, { identifier, sha256 }) {
      await vault.ready();
      const declaration = await find(identifier);
      if (declaration?.content != null && declaration.content.sha256 === sha256) {
        for (const { token } of await declarations.holders(certificateFingerprint)) {
          if (!(await checkins.snapshot(token)).some((item) => item.identifier === identifier)) continue;
          const scope = contentScope(identifier);
          const blob = await store.secrets.get(scope, sha256);
          if (blob === null) break;
          const bytes = vault.open(blob, { kind: 'secret', key: [scope, sha256] });
          return { bytes, contentType: declaration.content.contentType };
        }
      }
      throw unknownDeclaration(identifier);
    },
  };
}

function contentScope(identifier: string): string {
  return `declaration:${identifier}`;
}

/** The error for a declaration that is not there. */
export function unknownDeclaration(identifier: string): CoreError {
  const message = `there is no declaration ${JSON.stringify(identifier)}`;
  return new CoreError('core.declaration.unknown', 'not-found', message);
}

function deviceDeclaration(
  enrolmentId: string,
  item: SnapshotItem | null,
  state: DeclarationStateRecord | undefined,
): DeviceDeclaration {
  return {
    enrolmentId,
    identifier: (item ?? state!).identifier,
    kind: (item ?? state!).kind,
    type: item?.type ?? null,
    wantedToken: item?.serverToken ?? null,
    serverToken: state?.serverToken ?? null,
    status: statusOf(item, state),
    active: state?.active ?? false,
    valid: state?.valid ?? 'unknown',
    reasons: state?.reasons ?? [],
    reportedAt: state?.reportedAt ?? null,
  };
}

function statusOf(item: SnapshotItem | null, state: DeclarationStateRecord | undefined): DeviceDeclaration['status'] {
  if (item === null) return 'leaving';
  if (state === undefined || state.serverToken !== item.serverToken) return 'waiting';
  if (state.valid === 'invalid') return 'failed';
  if (state.valid === 'unknown') return 'waiting';
  return state.active || state.kind === 'management' ? 'applied' : 'inactive';
}
