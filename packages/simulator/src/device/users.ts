// The users of Macs and Shared iPads: who logs in, which of them the server manages, and their channels.
// Sources: Apple, "User Authenticate", "Managing Shared iPad"; the schema, mdm/checkin/tokenupdate.yaml.
import type { CommandResult } from '../commands/handler.ts';
import { SimulatorError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { Channel } from './channel.ts';
import { DeclarationClient, type DeclarationVerdict } from './declarations/client.ts';
import { digestResponse } from './digest.ts';
import { managedOf, type SimulatedUser, uuidOf } from './managed-state.ts';
import { tokenUpdateMessage, userAuthenticateMessage } from './messages.ts';
import { runSession, type SessionResult } from './session.ts';
import type { DeviceState, MdmSettings, UserChannelState } from './state.ts';
import { fetchBootstrapToken, fetchToken, readDict, serverHas } from './token-services.ts';
import type { PushService } from './types.ts';
import { userView } from './user-view.ts';

/** Who logs in. */
export interface UserLogin {
  /** The account's short name; on a Shared iPad the Managed Apple Account. */
  readonly shortName: string;
  /** Default: the short name. */
  readonly longName?: string;
  /** The account's GUID (Macs); default: made of device and name. */
  readonly userId?: string;
  /** A network or mobile account of a Mac: the server is asked (`UserAuthenticate`), with this password. */
  readonly password?: string;
}

/** A user who is logged in. */
export interface UserSession {
  readonly shortName: string;
  /** Whether the server manages this user. */
  readonly managed: boolean;
  /** As {@link SimulatedDevice.poll}, on the user's channel. */
  poll(): Promise<SessionResult>;
  /** Sends `TokenUpdate` again. */
  updateToken(): Promise<void>;
  /** How each declaration for the user stands. */
  declarations(): Promise<readonly DeclarationVerdict[]>;
  /** What the channel remembers; `null` for a user who is not managed. */
  state(): UserChannelState | null;
  /** The user logs out: from now on pushes to the channel wait. */
  logOut(): void;
}

/** What users need of their device. */
export interface UserContext {
  readonly state: DeviceState;
  readonly channel: Channel;
  readonly random: Random;
  readonly apns: PushService | undefined;
  readonly now: () => number;
  readonly maxCommands: number;
  /** One thing after the other. */
  inTurn<T>(task: () => Promise<T>): Promise<T>;
  /** Begins a task by itself; who listens hears of its error. */
  wake(task: () => Promise<unknown>): void;
  /** @throws SimulatorError `simulator.not_enrolled` */
  mdm(): MdmSettings;
  /** What a command needs before it is answered: identities that a profile brings. */
  fulfil(result: CommandResult): Promise<CommandResult>;
  /** What a session means for the whole device. */
  after(result: SessionResult): Promise<void>;
  close(): void;
}

const sharedIpadUser = 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF';

/** The users of one device. */
export class Users {
  readonly #context: UserContext;
  readonly #waking = new Set<UserChannelState>();

  constructor(context: UserContext) {
    this.#context = context;
    for (const user of context.state.userChannels ?? []) if (user.enrolled && user.loggedIn) this.#listen(user);
  }

  logIn(login: UserLogin | undefined): Promise<UserSession> {
    return this.#context.inTurn(async () => {
      try {
        return this.#session(await this.#logIn(login));
      } finally {
        this.#context.close();
      }
    });
  }

  /** Whoever a command has logged out or deleted is gone. */
  tidy(): void {
    const { state, apns } = this.#context;
    const channels = state.userChannels ?? [];
    if (channels.length === 0) return;
    const { users } = managedOf(state);
    const kept: UserChannelState[] = [];
    for (const channel of channels) {
      const user = users.find(({ userName }) => userName === channel.shortName);
      if (user?.loggedIn !== true && channel.loggedIn) {
        channel.loggedIn = false;
        apns?.disconnect(channel.pushToken);
      }
      if (user === undefined) apns?.unregister(channel.pushToken);
      else kept.push(channel);
    }
    state.userChannels = kept;
  }

  /** The enrolment is over. */
  forget(): void {
    const { state, apns } = this.#context;
    for (const user of state.userChannels ?? []) apns?.unregister(user.pushToken);
    delete state.userChannels;
  }

  async #logIn(
    login: UserLogin | undefined,
  ): Promise<{ readonly name: string; readonly user: UserChannelState | null }> {
    const { state } = this.#context;
    this.#context.mdm();
    const shared = state.sharedIpad === true;
    if (state.kind !== 'Mac' && !shared) {
      throw new SimulatorError('simulator.unsupported', `on an ${state.kind} that is not shared nobody logs in`);
    }
    const account = this.#account(login, shared);
    const name = account.userName;
    // A Shared iPad has one user at a time.
    if (shared) for (const other of managedOf(state).users) other.loggedIn = other === account;
    account.loggedIn = true;
    this.tidy();
    if (!serverHas(state, 'com.apple.mdm.per-user-connections')) return { name, user: null };
    const known = state.userChannels?.find(({ shortName }) => shortName === name);
    const directory = login?.password !== undefined && !shared;
    // A Mac has one local user that is managed: the first.
    const another = (state.userChannels ?? []).some((user) => user.local === true && user.shortName !== name);
    if (!shared && !directory && another) return { name, user: null };
    const user = known ?? this.#newChannel(account, login, shared, directory);
    if (directory && !(await this.#authenticate(user, login.password))) return { name, user: null };
    if (directory && !user.enrolled) await fetchBootstrapToken(state, this.#context.channel);
    user.loggedIn = true;
    if (!(await this.#enrol(user))) return { name, user: null };
    if (shared) await fetchToken(userView(state, user), this.#context.channel, 'com.apple.maid');
    return { name, user };
  }

  #account(login: UserLogin | undefined, shared: boolean): SimulatedUser {
    const { state } = this.#context;
    const { users } = managedOf(state);
    const name = login?.shortName ?? users[0]?.userName;
    if (name === undefined) throw new SimulatorError('simulator.option', 'say who logs in');
    const known = users.find(({ userName }) => userName === name);
    if (known !== undefined) return known;
    const user: SimulatedUser = {
      userName: name,
      fullName: login?.longName ?? name,
      uid: 501 + users.length,
      guid: login?.userId ?? uuidOf(state, `user ${name}`),
      loggedIn: true,
      dataToSync: false,
      admin: !shared && users.length === 0,
      lockedOut: false,
    };
    users.push(user);
    return user;
  }

  #newChannel(
    account: SimulatedUser,
    login: UserLogin | undefined,
    shared: boolean,
    directory: boolean,
  ): UserChannelState {
    const { state, random } = this.#context;
    const byUser = state.enrolmentId !== undefined;
    return {
      userId: shared ? sharedIpadUser : (login?.userId ?? account.guid),
      shortName: account.userName,
      longName: account.fullName,
      ...(byUser ? { enrolmentUserId: random.uuid() } : {}),
      ...(shared || directory ? {} : { local: true }),
      loggedIn: true,
      enrolled: false,
      pushToken: Buffer.from(random.bytes(32)).toString('hex'),
      pushMagic: random.uuid(),
      profiles: [],
      // Setup Assistant of a user, which iPadOS 17 can make wait as that of the device.
      awaitingConfiguration: shared && state.enrolledBy === 'ade' && Number.parseInt(state.osVersion, 10) >= 17,
    };
  }

  /** The digest handshake. False: the server does not manage this user, or the password is wrong. */
  async #authenticate(user: UserChannelState, password: string): Promise<boolean> {
    const { state, channel, random } = this.#context;
    if (state.mdm?.userEnrolment === true) return false; // schema: not in User Enrolment
    delete user.authToken;
    const send = (digest: string) => {
      const message = userAuthenticateMessage(state, user.userId, digest);
      return channel.deliver({ kind: 'user-authenticate' }, message, channel.plan('user-authenticate'));
    };
    const challenge = readDict(await send(''))?.['DigestChallenge'];
    if (typeof challenge !== 'string') return false; // 410: not this user
    if (challenge === '') return true;
    const message = { method: 'PUT', url: this.#context.mdm().checkInUrl };
    const cnonce = Buffer.from(random.bytes(8)).toString('hex');
    const digest = digestResponse(challenge, { name: user.shortName, password }, message, cnonce);
    if (digest === null) return false;
    const token = readDict(await send(digest))?.['AuthToken'];
    if (typeof token !== 'string' || token === '') return false;
    user.authToken = token;
    return true;
  }

  async #enrol(user: UserChannelState): Promise<boolean> {
    const { state } = this.#context;
    const others = (state.userChannels ?? []).filter((item) => item !== user);
    state.userChannels = [...others, user];
    this.#listen(user); // first, since a push may come at once
    const status = await this.#tell(user);
    if (status >= 200 && status < 300) {
      user.enrolled = true;
      return true;
    }
    this.#drop(user);
    return false;
  }

  #drop(user: UserChannelState): void {
    const { state, apns } = this.#context;
    apns?.unregister(user.pushToken);
    state.userChannels = (state.userChannels ?? []).filter((item) => item !== user);
  }

  async #tell(user: UserChannelState): Promise<number> {
    const { state, channel } = this.#context;
    const message = tokenUpdateMessage(userView(state, user), this.#context.mdm());
    return (await channel.deliver({ kind: 'token-update' }, message, channel.plan('token-update'))).status;
  }

  #listen(user: UserChannelState): void {
    const { apns } = this.#context;
    apns?.register({
      token: user.pushToken,
      topic: this.#context.mdm().topic,
      onPush: ({ mdm }) => {
        if (mdm !== user.pushMagic || this.#waking.has(user)) return;
        this.#waking.add(user);
        this.#context.wake(async () => {
          this.#waking.delete(user);
          if (user.loggedIn && this.#isKnown(user)) await this.#run(user);
        });
      },
    });
  }

  #isKnown(user: UserChannelState): boolean {
    return this.#context.state.userChannels?.includes(user) === true;
  }

  async #run(user: UserChannelState): Promise<SessionResult> {
    const { state, channel, now, maxCommands } = this.#context;
    const view = userView(state, user);
    try {
      const result = await runSession(view, channel, now, maxCommands, (done) => this.#context.fulfil(done));
      // Whom the server does not take any more is this user, not the device.
      if (result.ended === 'unenrolled') this.#drop(user);
      else await this.#context.after(result);
      if (this.#isKnown(user) && user.enrolled) await new DeclarationClient(view, channel).work();
      return result;
    } finally {
      this.#context.close();
    }
  }

  #session({ name, user }: { readonly name: string; readonly user: UserChannelState | null }): UserSession {
    const { inTurn, state, channel } = this.#context;
    const there = (): UserChannelState => {
      if (user !== null && this.#isKnown(user) && user.loggedIn) return user;
      throw new SimulatorError('simulator.not_enrolled', `${name} is not logged in with a channel of their own`);
    };
    return {
      shortName: name,
      managed: user !== null,
      poll: () => inTurn(async () => this.#run(there())),
      updateToken: () =>
        inTurn(async () => {
          const status = await this.#tell(there());
          this.#context.close();
          if (status < 200 || status >= 300) {
            throw new SimulatorError('simulator.refused', `the server answered HTTP ${status} to token-update`, {
              status,
            });
          }
        }),
      declarations: () => inTurn(() => new DeclarationClient(userView(state, there()), channel).verdicts()),
      state: () => (user === null ? null : structuredClone(user)),
      logOut: () => {
        for (const account of managedOf(state).users) if (account.userName === name) account.loggedIn = false;
        this.tidy();
      },
    };
  }
}
