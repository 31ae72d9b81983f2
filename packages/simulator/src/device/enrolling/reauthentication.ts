// Another token for an enrolment by account, once the server no longer takes the one that it gave.
import { SimulatorError } from '../../errors.ts';
import type { DeviceState } from '../state.ts';
import type { SignIn } from './browser.ts';
import { readChallenge } from './challenge.ts';
import { refreshToken, signInForToken, type TokenContext } from './tokens.ts';

/** Keeps who signs in, and the token up to date. */
export class Reauthentication {
  /** Who signs in; absent: nobody is there to do so. */
  user: SignIn | undefined;
  readonly #state: DeviceState;
  readonly #context: TokenContext;

  constructor(state: DeviceState, user: SignIn | undefined, context: TokenContext) {
    this.#state = state;
    this.#context = context;
    this.user = user;
  }

  /**
   * Refreshes the token (OAuth 2), or has the user sign in again. False: the device has no better token now.
   * @throws SimulatorError `simulator.unreachable`
   */
  async again(why: { readonly challenge: string } | 'expired'): Promise<boolean> {
    const { account } = this.#state;
    if (account === undefined) return false;
    const fresh = account.token === null ? null : await refreshToken(account.token, this.#context);
    if (fresh !== null) {
      account.token = fresh;
      return true;
    }
    if (why === 'expired' || this.user === undefined) return false;
    try {
      const challenge = readChallenge(why.challenge);
      account.token = await signInForToken(challenge, account.user, this.user, this.#context);
      return true;
    } catch (error) {
      // The device goes on asking its user; meanwhile it is as good as signed out.
      if (error instanceof SimulatorError && error.code === 'simulator.sign_in') return false;
      throw error;
    }
  }
}
