// The simulated device: enrols, is woken, polls, answers, and remembers.
import type { DeviceKind } from '../catalogue.ts';
import { acknowledged, type CommandResult, failed, installationFailed } from '../commands/handler.ts';
import { SimulatorError } from '../errors.ts';
import { createKeyPool, type KeyPool } from '../key-pool.ts';
import { createFetchTransport, createNodeTransport, type DeviceRequest, type Transport } from '../net/transport.ts';
import { createRandom, type Random } from '../random.ts';
import { Channel } from './channel.ts';
import { acquireIdentities } from './credentials.ts';
import { DeclarationClient, type DeclarationVerdict } from './declarations/client.ts';
import { enrolmentSigner, installEnrolment } from './enrolling/install.ts';
import { createSimulatedDeviceAuthority, factoryIdentity } from './enrolling/machine-info.ts';
import { obtainProfile } from './enrolling/obtain.ts';
import { Reauthentication } from './enrolling/reauthentication.ts';
import type { EnrolmentWay } from './enrolling/types.ts';
import { createState } from './factory.ts';
import { makeKey, renewIdentity, requestIdentityOf, type ScepContext } from './identity.ts';
import { authenticateMessage, checkOutMessage, tokenUpdateMessage } from './messages.ts';
import { ProfileProblem } from './profile.ts';
import { returnToService } from './return-to-service.ts';
import { runSession, type SessionResult } from './session.ts';
import { checkState, type DeviceState, type EnrolmentPhase, fromBase64, type MdmSettings, toBase64 } from './state.ts';
import { escrowBootstrapToken, fetchBootstrapToken, fetchToken } from './token-services.ts';
import type { DeviceEnvironment, EnrolResult, SimulatedDevice, SimulatedDeviceOptions } from './types.ts';
import { type UserLogin, type UserSession, Users } from './users.ts';

/**
 * Makes a simulated device. The same traits and the same seed give the same device.
 *
 * @throws SimulatorError `simulator.option`
 * @example
 * const phone = createSimulatedDevice({ kind: 'iPhone', seed: 1, supervised: true, trustedRoots: [rootCertificate] });
 * await phone.enrol('https://mdm.example.com/enrol/abc');
 * const { commands } = await phone.poll();
 */
export function createSimulatedDevice(options: SimulatedDeviceOptions): SimulatedDevice {
  const random = createRandom(options.seed ?? 'device');
  return new Device(createState(options, random.fork('state')), options, random);
}

/**
 * Makes a device of a saved state, in any process.
 * @throws SimulatorError `simulator.state`
 */
export function restoreDevice(state: DeviceState, environment: DeviceEnvironment = {}): SimulatedDevice {
  const checked = checkState(state);
  const random = createRandom(`${environment.seed ?? 'device'}/${checked.udid}/${checked.messages}`);
  return new Device(checked, environment, random);
}

const inProgress: readonly EnrolmentPhase[] = ['profile', 'identity', 'authenticated', 'enrolled'];

class Device implements SimulatedDevice {
  readonly #state: DeviceState;
  readonly #environment: DeviceEnvironment;
  readonly #random: Random;
  readonly #transport: Transport;
  readonly #channel: Channel;
  readonly #declarations: DeclarationClient;
  readonly #users: Users;
  readonly #signIns: Reauthentication;
  readonly #keyPool: KeyPool;
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<void>;
  #tail: Promise<unknown> = Promise.resolve();
  #wakeWaiting = false;
  #saidNotNow = false;
  #errors: unknown[] = [];

  constructor(state: DeviceState, environment: DeviceEnvironment, random: Random) {
    this.#state = state;
    this.#environment = environment;
    this.#random = random.fork('device');
    this.#now = () => environment.clock?.now() ?? Date.now();
    this.#sleep = environment.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    this.#keyPool = environment.keyPool ?? createKeyPool();
    this.#transport =
      environment.transport ??
      (environment.fetch === undefined
        ? createNodeTransport({ trustedRoots: environment.trustedRoots ?? [] })
        : createFetchTransport(environment.fetch));
    this.#channel = new Channel(state, {
      transport: this.#transport,
      retry: environment.retry ?? {},
      sleep: this.#sleep,
      random: () => this.#random.next(),
      now: this.#now,
      stopwatch: environment.stopwatch ?? (() => performance.now()),
      faults: environment.faults,
      faultRandom: random.fork('faults'),
      onRequest: environment.onRequest,
      signInAgain: (why) => this.#signIns.again(why),
    });
    this.#signIns = new Reauthentication(state, environment.signIn, this.#enrolling());
    this.#users = new Users({
      state,
      channel: this.#channel,
      random: random.fork('users'),
      apns: environment.apns,
      now: this.#now,
      maxCommands: environment.maxCommandsPerSession ?? 1000,
      inTurn: (task) => this.#inTurn(task),
      wake: (task) => this.#inBackground(task),
      mdm: () => this.#enrolled(),
      fulfil: (result) => this.#fulfil(result),
      after: (result) => this.#after(result),
      close: () => this.#transport.close(),
    });
    this.#declarations = new DeclarationClient(state, this.#channel);
    if (state.phase === 'enrolled' || state.phase === 'authenticated') this.#listen();
  }

  get kind(): DeviceKind {
    return this.#state.kind;
  }

  get udid(): string {
    return this.#state.udid;
  }

  get serialNumber(): string {
    return this.#state.serialNumber;
  }

  get phase(): EnrolmentPhase {
    return this.#state.phase;
  }

  enrol(source: string | URL | Uint8Array | EnrolmentWay): Promise<EnrolResult> {
    return this.#inTurn(async () => {
      try {
        return await this.#enrol(source);
      } catch (error) {
        const final = error instanceof SimulatorError && error.code !== 'simulator.unreachable';
        if (final) this.#forget('none');
        throw error;
      } finally {
        this.#channel.anchors = [];
        this.#transport.close();
      }
    });
  }

  async #enrol(source: string | URL | Uint8Array | EnrolmentWay): Promise<EnrolResult> {
    const state = this.#state;
    if (!inProgress.includes(state.phase)) await this.#installProfile(source);
    if (state.phase === 'profile') await this.#getIdentity();
    if (state.phase === 'identity') {
      await this.#tell('authenticate', authenticateMessage(state, this.#mdm()));
      state.phase = 'authenticated';
    }
    if (state.phase === 'authenticated') {
      this.#listen(); // first, since a push may come at once
      await this.#tell('token-update', tokenUpdateMessage(state, this.#mdm()));
      state.phase = 'enrolled';
      await escrowBootstrapToken(state, this.#channel, (length) => this.#random.bytes(length));
      // Whoever enrolled with a Managed Apple Account is signed in with it.
      if (state.account !== undefined) await fetchToken(state, this.#channel, 'com.apple.maid');
    }
    const signer = enrolmentSigner(state, this.#environment.trustedRoots ?? [], this.#now());
    return { certificate: fromBase64(state.certificate!), ...(signer === undefined ? {} : { signer }) };
  }

  async #installProfile(source: string | URL | Uint8Array | EnrolmentWay): Promise<void> {
    const state = this.#state;
    const { profile, type, apply } = await obtainProfile(source, {
      ...this.#enrolling(),
      download: (url) => this.#channel.download(url),
      getIdentity: async (settings) => {
        const privateKey = await makeKey(settings, this.#keyPool);
        const { attestation } = this.#environment;
        const context = this.#identityContext();
        return { privateKey, certificate: await requestIdentityOf(settings, privateKey, state, attestation, context) };
      },
      anchor: (roots) => {
        this.#channel.anchors = roots;
      },
    });
    installEnrolment(
      state,
      { profile, type, apply },
      () => this.#forget('none'),
      () => this.#random.uuid(),
    );
    if (typeof source === 'object' && 'type' in source && source.type === 'account') this.#signIns.user = source.signIn;
  }

  /** What the ways to a profile need. */
  #enrolling() {
    const { deviceAuthority } = this.#environment;
    return {
      state: this.#state,
      now: this.#now,
      bytes: (length: number) => this.#random.bytes(length),
      request: (request: DeviceRequest) => this.#channel.request(request),
      identity: async () => {
        const clock = { now: this.#now };
        const authority = deviceAuthority ?? (await createSimulatedDeviceAuthority({ clock }));
        return await factoryIdentity(this.#state, authority, this.#keyPool);
      },
    };
  }

  async #getIdentity(): Promise<void> {
    const state = this.#state;
    // The key is kept before it is used: whatever happens in between, the SCEP transaction stays the same.
    state.privateKey ??= toBase64(await makeKey(this.#mdm(), this.#keyPool));
    const key = fromBase64(state.privateKey);
    const { attestation } = this.#environment;
    const certificate = await requestIdentityOf(this.#mdm(), key, state, attestation, this.#identityContext());
    state.certificate = toBase64(certificate);
    state.phase = 'identity';
  }

  #identityContext(): ScepContext {
    return {
      transport: this.#channel.scepTransport(),
      connection: this.#channel.connection(),
      userAgent: this.#channel.userAgent,
      retry: this.#environment.retry ?? {},
      sleep: this.#sleep,
      random: () => this.#random.next(),
      now: this.#now,
    };
  }

  /** What a command needs besides the device itself, before it is answered. */
  async #fulfil(result: CommandResult): Promise<CommandResult> {
    if (result.renewal !== undefined) return await this.#renew(result.renewal);
    return result.identities === undefined ? result : await this.#acquire(result.identities);
  }

  /** The identities of a profile. */
  async #acquire({ payloads, apply }: NonNullable<CommandResult['identities']>): Promise<CommandResult> {
    const { attestation } = this.#environment;
    const from = { state: this.#state, keyPool: this.#keyPool, attestation, context: this.#identityContext() };
    try {
      apply(await acquireIdentities(payloads, from));
      return acknowledged();
    } catch (error) {
      if (error instanceof ProfileProblem) return installationFailed(error);
      if (!(error instanceof SimulatorError)) throw error;
      return installationFailed({ domain: 'MCSCEPErrorDomain', code: 22_013, message: error.message });
    }
  }

  /** The identity of a profile that replaces the enrolment's. */
  async #renew({ mdm, apply }: NonNullable<CommandResult['renewal']>): Promise<CommandResult> {
    try {
      await renewIdentity(this.#state, mdm, this.#keyPool, this.#environment.attestation, this.#identityContext());
      apply();
      return acknowledged();
    } catch (error) {
      if (!(error instanceof SimulatorError)) throw error;
      return failed('MCInstallationErrorDomain', 4001, `Profile Installation Failed: ${error.message}`);
    }
  }

  async #tell(kind: 'authenticate' | 'token-update', body: Uint8Array): Promise<void> {
    const { status } = await this.#channel.deliver({ kind }, body, this.#channel.plan(kind));
    if (status >= 200 && status < 300) return;
    throw new SimulatorError('simulator.refused', `the server answered HTTP ${status} to ${kind}`, { status });
  }

  poll(): Promise<SessionResult> {
    return this.#inTurn(() => this.#session());
  }

  async #session(): Promise<SessionResult> {
    const state = this.#state;
    this.#wakeWaiting = false;
    if (state.phase !== 'enrolled') throw this.#notEnrolled();
    if (state.lockPin !== null) return { commands: [], ended: 'halt', status: 0 };
    try {
      const max = this.#environment.maxCommandsPerSession ?? 1000;
      const result = await runSession(state, this.#channel, this.#now, max, (result) => this.#fulfil(result));
      this.#saidNotNow = result.commands.some((command) => command.status === 'NotNow');
      await this.#after(result);
      if (state.phase === 'enrolled') {
        await escrowBootstrapToken(state, this.#channel, (length) => this.#random.bytes(length));
        await this.#declarations.work();
      }
      return result;
    } finally {
      this.#transport.close();
    }
  }

  /** What a session leaves behind. */
  async #after(result: SessionResult): Promise<void> {
    const state = this.#state;
    if (result.ended === 'erase') {
      this.#forget('erased');
      state.passcode = null;
      state.apps = state.apps.filter((app) => app.managed !== true);
      state.settings = {};
      state.lostMode = null;
      state.locked = false;
      state.awaitingConfiguration = false;
    } else if (result.ended === 'unenrolled') {
      this.#forget('unenrolled');
    } else if (result.ended === 'leave') {
      await this.#leave();
    } else if (result.ended === 'restart') {
      state.locked = state.passcode !== null;
    }
    this.#users.tidy();
  }

  logIn(user?: UserLogin): Promise<UserSession> {
    return this.#users.logIn(user);
  }

  getToken(service: string, parameters: { readonly [key: string]: string } = {}): Promise<Uint8Array | null> {
    return this.#talk(() => fetchToken(this.#state, this.#channel, service, parameters));
  }

  getBootstrapToken(): Promise<Uint8Array | null> {
    return this.#talk(() => fetchBootstrapToken(this.#state, this.#channel));
  }

  async returnToService(): Promise<{ readonly enabled: boolean; readonly enrolled: boolean }> {
    const { enabled, profile } = await this.#talk(async () => {
      const answer = await returnToService(this.#state, this.#channel);
      if (answer.enabled) await this.#after({ commands: [], ended: 'erase', status: 200 });
      return answer;
    });
    if (profile !== undefined) await this.enrol(profile);
    return { enabled, enrolled: profile !== undefined };
  }

  updateToken(options: { readonly newToken?: boolean } = {}): Promise<void> {
    return this.#talk(async () => {
      if (options.newToken === true) {
        this.#environment.apns?.unregister(this.#state.pushToken);
        this.#state.pushToken = Buffer.from(this.#random.bytes(32)).toString('hex');
        this.#listen();
      }
      await this.#tell('token-update', tokenUpdateMessage(this.#state, this.#mdm()));
    });
  }

  reportStatus(options: { readonly full?: boolean } = {}): Promise<void> {
    return this.#talk(() => this.#declarations.work(options));
  }

  declarations(): Promise<readonly DeclarationVerdict[]> {
    return this.#inTurn(() => this.#declarations.verdicts());
  }

  checkOut(): Promise<{ readonly told: boolean }> {
    return this.#talk(async () => ({ told: await this.#leave() }));
  }

  async #leave(): Promise<boolean> {
    const mdm = this.#mdm();
    let told = false;
    if (mdm.checkOutWhenRemoved) {
      try {
        const body = checkOutMessage(this.#state, mdm);
        const { status } = await this.#channel.deliver({ kind: 'check-out' }, body, this.#channel.plan('check-out'));
        told = status === 200;
      } catch (error) {
        // The profile goes whether or not the server hears of it.
        if (!(error instanceof SimulatorError) || error.code !== 'simulator.unreachable') throw error;
      }
    }
    this.#forget('checked-out');
    return told;
  }

  lock(): void {
    this.#state.locked = this.#state.passcode !== null;
  }

  unlock(pin?: string): boolean {
    if (this.#state.lockPin !== null && this.#state.lockPin !== pin) return false;
    this.#state.lockPin = null;
    this.#state.locked = false;
    if (this.#saidNotNow) this.#wake();
    return true;
  }

  setPasscode(passcode: string | null): void {
    this.#state.passcode = passcode;
    if (passcode === null) this.#state.locked = false;
  }

  async settled(): Promise<void> {
    let seen: Promise<unknown> | undefined;
    while (seen !== this.#tail) {
      seen = this.#tail;
      await seen;
    }
    const [first] = this.#errors.splice(0);
    if (first !== undefined) throw first;
  }

  state(): DeviceState {
    return structuredClone(this.#state);
  }

  close(): void {
    this.#environment.apns?.disconnect(this.#state.pushToken);
    this.#transport.close();
  }

  #listen(): void {
    this.#environment.apns?.register({
      token: this.#state.pushToken,
      topic: this.#mdm().topic,
      onPush: ({ mdm }) => {
        if (mdm === this.#state.pushMagic) this.#wake();
      },
    });
  }

  /** Begins a session unless one is waiting to begin: pushes in quick succession mean one poll. */
  #wake(): void {
    if (this.#wakeWaiting) return;
    this.#wakeWaiting = true;
    this.#inBackground(async () => {
      this.#wakeWaiting = false;
      if (this.#state.phase === 'enrolled') await this.#session();
    });
  }

  #inBackground(task: () => Promise<unknown>): void {
    this.#inTurn(task).catch((error: unknown) => {
      if (this.#environment.onError === undefined) this.#errors.push(error);
      else this.#environment.onError(error);
    });
  }

  /** In turn, by an enrolled device; the connection is closed afterwards. */
  #talk<T>(task: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.#enrolled();
      try {
        return await task();
      } finally {
        this.#transport.close();
      }
    });
  }

  /** One thing after the other. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined); // whoever asked for it hears of the error
    return result;
  }

  /** All that came with the enrolment goes. */
  #forget(phase: EnrolmentPhase): void {
    const state = this.#state;
    if (state.mdm !== null) this.#environment.apns?.unregister(state.pushToken);
    this.#users.forget();
    for (const key of ['enrolmentId', 'account', 'enrolledBy', 'bootstrapToken'] as const) delete state[key];
    state.phase = phase;
    state.mdm = null;
    state.profiles = [];
    delete state.declarative;
    delete state.managed;
    state.certificate = null;
    state.privateKey = null;
    state.apps = state.apps.filter((app) => app.managed !== true);
    // A new enrolment has a new token.
    state.pushToken = Buffer.from(this.#random.bytes(32)).toString('hex');
    state.pushMagic = this.#random.uuid();
  }

  #mdm(): MdmSettings {
    if (this.#state.mdm === null) throw this.#notEnrolled();
    return this.#state.mdm;
  }

  #enrolled(): MdmSettings {
    if (this.#state.phase !== 'enrolled') throw this.#notEnrolled();
    return this.#mdm();
  }

  #notEnrolled(): SimulatorError {
    return new SimulatorError('simulator.not_enrolled', `the device is not enrolled (${this.#state.phase})`);
  }
}
