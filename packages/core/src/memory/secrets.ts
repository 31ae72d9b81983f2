// Sealed secrets in memory.
import type { SealedRef, SecretStore } from '../contracts/secrets.ts';
import { compare, type MemoryState, pageOf } from './state.ts';

/** Secrets over the state. */
export function memorySecrets(state: MemoryState): SecretStore {
  return {
    async put({ scope, name, blob }) {
      state.open();
      state.putSecret(scope, name, blob);
    },

    async get(scope, name) {
      state.open();
      return state.secrets.get(scope)?.get(name) ?? null;
    },

    async delete(scope, name) {
      state.open();
      return state.secrets.get(scope)?.delete(name) ?? false;
    },

    async sealed(page) {
      state.open();
      const all = [...everySealed(state)].sort((a, b) => compare(refKey(a.ref), refKey(b.ref)));
      return pageOf(all, (item) => refKey(item.ref), page);
    },

    async reseal({ ref, expected, blob }) {
      state.open();
      for (const item of everySealed(state)) {
        if (refKey(item.ref) !== refKey(ref)) continue;
        if (!sameBytes(item.blob, expected)) return false;
        item.replace(blob);
        return true;
      }
      return false;
    },
  };
}

interface SealedItem {
  readonly ref: SealedRef;
  readonly blob: Uint8Array;
  readonly replace: (blob: Uint8Array) => void;
}

function* everySealed(state: MemoryState): Generator<SealedItem> {
  for (const [scope, names] of state.secrets) {
    for (const [name, blob] of names) {
      yield { ref: { kind: 'secret', key: [scope, name] }, blob, replace: (next) => names.set(name, next) };
    }
  }
  for (const { id, push: row } of state.enrolments.values()) {
    if (row === null) continue;
    const replace = (next: Uint8Array) => {
      row.pushMagic = next;
    };
    yield { ref: { kind: 'push-magic', key: [id] }, blob: row.pushMagic, replace };
  }
  for (const row of state.commands.values()) {
    if (!row.body.sealed) continue;
    const replace = (bytes: Uint8Array) => {
      row.body = { bytes, sealed: true };
    };
    yield { ref: { kind: 'command', key: [row.commandUuid] }, blob: row.body.bytes, replace };
  }
  for (const enrolment of state.enrolments.values()) {
    for (const { command, response } of state.history.of(enrolment)) {
      if (response?.sealed !== true) continue;
      const replace = (bytes: Uint8Array) => {
        state.history.setResponse(enrolment, command, { bytes, sealed: true });
      };
      yield { ref: { kind: 'response', key: [enrolment.id, command.commandUuid] }, blob: response.bytes, replace };
    }
  }
  for (const [id, row] of state.invitations) {
    const replace = (sealed: Uint8Array) => {
      state.invitations.set(id, { ...row, sealed });
    };
    yield { ref: { kind: 'invitation', key: [id] }, blob: row.sealed, replace };
  }
  for (const [id, row] of state.acmeOrders) {
    const replace = (sealed: Uint8Array) => {
      state.acmeOrders.set(id, { ...row, sealed });
    };
    yield { ref: { kind: 'acme-order', key: [id] }, blob: row.sealed, replace };
  }
  for (const [id, row] of state.scepRequests) {
    const replace = (sealed: Uint8Array) => {
      state.scepRequests.set(id, { ...row, sealed });
    };
    yield { ref: { kind: 'scep-request', key: [id] }, blob: row.sealed, replace };
  }
  for (const [id, row] of state.credentials) {
    if (row.sealed === null) continue;
    const replace = (next: Uint8Array) => {
      row.sealed = next;
    };
    yield { ref: { kind: 'credential', key: [id] }, blob: row.sealed, replace };
  }
}

function refKey(ref: SealedRef): string {
  return JSON.stringify([ref.kind, ...ref.key]);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
