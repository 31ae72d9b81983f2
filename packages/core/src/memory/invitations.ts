// Invitations in memory.
import type { InvitationRecord, InvitationStore } from '../contracts/invitations.ts';
import { type MemoryState, pageOf } from './state.ts';

/** Invitations over the state. */
export function memoryInvitations(state: MemoryState): InvitationStore {
  const newestFirst = (): InvitationRecord[] => [...state.invitations.values()].reverse();
  const lookUp = (id: string | undefined): InvitationRecord | null =>
    id === undefined ? null : (state.invitations.get(id) ?? null);
  return {
    async create(invitation, at, event) {
      state.open();
      const other = lookUp(state.byPinHash.get(invitation.pinHash));
      if (other?.status === 'valid' && other.expiresAt > at) return 'pin-taken';
      state.byPinHash.set(invitation.pinHash, invitation.id);
      state.byToken.set(invitation.tokenHash, invitation.id);
      state.invitations.set(invitation.id, invitation);
      state.appendEvents([event]);
      return 'created';
    },
    async get(id) {
      state.open();
      return state.invitations.get(id) ?? null;
    },
    async findByToken(tokenHash) {
      state.open();
      return lookUp(state.byToken.get(tokenHash));
    },
    async findByPin(pinHash) {
      state.open();
      return lookUp(state.byPinHash.get(pinHash));
    },
    async list(page) {
      state.open();
      return pageOf(newestFirst(), (invitation) => invitation.id, page);
    },
    async revoke(id) {
      state.open();
      const invitation = state.invitations.get(id);
      if (invitation?.status !== 'valid') return false;
      state.invitations.set(id, { ...invitation, status: 'revoked' });
      return true;
    },
    async sweep({ at, limit }) {
      state.open();
      let count = 0;
      for (const [id, invitation] of state.invitations) {
        if (count >= limit) break;
        if (invitation.status !== 'valid' || invitation.expiresAt > at) continue;
        state.invitations.set(id, { ...invitation, status: 'expired' });
        count++;
      }
      return count;
    },
  };
}
