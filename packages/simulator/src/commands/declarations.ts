// DeclarativeManagement: turns declarative management on, and asks for a synchronisation.
import { isObject } from '../device/declarations/catalogue.ts';
import { newDeclarativeState } from '../device/declarations/state.ts';
import { acknowledged, type Handlers, malformed } from './handler.ts';

/** The command for declarations. */
export const declarationHandlers: Handlers = {
  DeclarativeManagement: {
    whenLocked: true,
    run({ state, payload }) {
      const { Data: data } = payload;
      if (data !== undefined && !(data instanceof Uint8Array)) return malformed;
      state.declarative ??= newDeclarativeState();
      // The work is done after the session: with the token that is in the command, or one that the device asks for.
      state.declarative.pending = data === undefined ? '' : (tokenIn(data) ?? '');
      return acknowledged();
    },
  },
};

function tokenIn(data: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    const tokens = isObject(value) ? value['SyncTokens'] : undefined;
    const token = isObject(tokens) ? tokens['DeclarationsToken'] : undefined;
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined; // as without data: the device asks for the tokens
  }
}
