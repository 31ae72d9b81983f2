// The declarative-management client of a device: synchronises declarations, applies them, reports status.
import { encodeXml } from '@espalier/plist';
import type { DeviceResponse } from '../../net/transport.ts';
import type { Channel } from '../channel.ts';
import { senderKeys } from '../messages.ts';
import { openProfile, ProfileProblem } from '../profile.ts';
import type { DeviceState } from '../state.ts';
import { isObject, type Kind, kinds } from './catalogue.ts';
import { evaluate } from './evaluate.ts';
import type { Answers } from './predicate.ts';
import type { DeclarativeState, HeldDeclaration, ReportedState } from './state.ts';
import { capabilities, statusItems } from './status.ts';

/** What a device says of one declaration. */
export type DeclarationVerdict = ReportedState & { readonly kind: Kind };

/** Works on a device's declarations. */
export class DeclarationClient {
  readonly #state: DeviceState;
  readonly #channel: Channel;

  constructor(state: DeviceState, channel: Channel) {
    this.#state = state;
    this.#channel = channel;
  }

  /** How each declaration stands now. */
  async verdicts(): Promise<readonly DeclarationVerdict[]> {
    return [...(await this.#apply()).values()];
  }

  /**
   * Does what is to be done after a session: a synchronisation that was asked for, and a report of what changed. What
   * the server does not take stays to be done.
   * @throws SimulatorError `simulator.unreachable`
   */
  async work(options: { readonly full?: boolean } = {}): Promise<void> {
    const { declarative } = this.#state;
    if (declarative === undefined) return;
    if (declarative.pending !== null && !(await this.#synchronise(declarative))) return;
    await this.#report(declarative, options.full === true);
  }

  async #ask(endpoint: string, data?: Uint8Array): Promise<DeviceResponse> {
    const body = encodeXml({
      ...(data === undefined ? {} : { Data: data }),
      Endpoint: endpoint,
      MessageType: 'DeclarativeManagement',
      ...senderKeys(this.#state),
    });
    return this.#channel.deliver({ kind: 'declarative' }, body, this.#channel.plan('declarative'));
  }

  /** Apple: "Integrating declarative management". False when the server did not play along. */
  async #synchronise(declarative: DeclarativeState): Promise<boolean> {
    let token = declarative.pending;
    if (token === '') {
      const answer = await this.#ask('tokens');
      const tokens = readJson(answer)?.['SyncTokens'];
      const found = isObject(tokens) ? tokens['DeclarationsToken'] : undefined;
      if (typeof found !== 'string') return false;
      token = found;
    }
    if (token === declarative.token) {
      declarative.pending = null;
      return true;
    }
    const manifest = readManifest(readJson(await this.#ask('declaration-items')));
    if (manifest === null) return false;
    declarative.counts.syncs++;
    const held = new Map(declarative.declarations.map((one) => [one.identifier, one]));
    const next: HeldDeclaration[] = [];
    for (const { kind, identifier, serverToken } of manifest.items) {
      const known = held.get(identifier);
      if (known !== undefined && known.serverToken === serverToken && known.kind === kind) {
        next.push(known);
        continue;
      }
      const answer = await this.#ask(`declaration/${kind}/${identifier}`);
      // Apple: 404 makes the device remove what it has of it.
      if (answer.status === 404) continue;
      if (answer.status !== 200) return false;
      declarative.counts.fetched++;
      next.push(readDeclaration(answer, kind, identifier, serverToken));
    }
    declarative.declarations = next;
    declarative.token = manifest.token;
    declarative.pending = null;
    return true;
  }

  #answers(declarative: DeclarativeState): Answers {
    const items = statusItems(this.#state);
    const properties = new Map<string, unknown>();
    for (const { type, payload } of declarative.declarations) {
      if (type !== 'com.apple.management.properties') continue;
      for (const [name, value] of Object.entries(payload)) properties.set(name, value);
    }
    return {
      status: (name) => (Object.hasOwn(items, name) ? items[name]!(this.#state) : undefined),
      property: (name) => properties.get(name),
    };
  }

  /** Applies what is active, takes back what no longer is, and tells how all stands. */
  async #apply(): Promise<ReadonlyMap<string, DeclarationVerdict>> {
    const { declarative } = this.#state;
    if (declarative === undefined) return new Map();
    const answers = this.#answers(declarative);
    const first = evaluate(this.#state, answers);
    const wanted = declarative.declarations.filter(({ type, identifier }) => {
      const verdict = first.get(identifier);
      return type === 'com.apple.configuration.legacy' && verdict?.active === true && verdict.valid === 'valid';
    });
    for (const [identifier, installed] of Object.entries(declarative.profiles)) {
      const still = wanted.find((one) => one.identifier === identifier);
      if (still?.serverToken === installed.serverToken) continue;
      this.#state.profiles = this.#state.profiles.filter((profile) => profile.identifier !== installed.identifier);
      delete declarative.profiles[identifier];
    }
    const failed = new Map<string, string>();
    for (const declaration of wanted) {
      if (declarative.profiles[declaration.identifier] !== undefined) continue;
      const problem = await this.#installProfile(declarative, declaration);
      if (problem !== null) failed.set(declaration.identifier, problem);
    }
    return failed.size === 0 ? first : evaluate(this.#state, answers, failed);
  }

  async #installProfile(declarative: DeclarativeState, declaration: HeldDeclaration): Promise<string | null> {
    const url = declaration.payload['ProfileURL'];
    if (typeof url !== 'string' || !URL.canParse(url)) return 'The URL is not valid.';
    const answer = await this.#channel.download(url);
    if (answer.status !== 200) return `The profile could not be downloaded (HTTP ${answer.status}).`;
    try {
      const { stored } = openProfile(answer.body, true);
      if (stored.payloads.some(({ type }) => type === 'com.apple.mdm')) return 'The profile has an MDM payload.';
      const { identifier } = stored;
      this.#state.profiles = [...this.#state.profiles.filter((one) => one.identifier !== identifier), stored];
      declarative.profiles[declaration.identifier] = { identifier, serverToken: declaration.serverToken };
      return null;
    } catch (error) {
      if (!(error instanceof ProfileProblem)) throw error;
      return `Profile Installation Failed: ${error.message}`;
    }
  }

  /** Reports what changed since the server last took a report; everything when `full`. */
  async #report(declarative: DeclarativeState, full: boolean): Promise<void> {
    const verdicts = await this.#apply();
    const values = new Map<string, unknown>([
      ['management.client-capabilities', capabilities(this.#state)],
      ['management.declarations', declared(verdicts)],
    ]);
    const items = statusItems(this.#state);
    const errors: object[] = [];
    for (const name of subscribed(declarative, verdicts)) {
      if (Object.hasOwn(items, name)) values.set(name, items[name]!(this.#state));
      else if (!values.has(name)) errors.push({ StatusItem: name, Reasons: [{ Code: 'Error.Unknown' }] });
    }
    const known = full ? {} : declarative.reported;
    const changed = [...values].filter(([name, value]) => known[name] !== JSON.stringify(value));
    if (changed.length === 0) return;
    const StatusItems = {};
    for (const [name, value] of changed) nest(StatusItems, name, incremental(known[name], value));
    const report = { StatusItems, Errors: errors, ...(full ? { FullReport: true } : {}) };
    const { status } = await this.#ask('status', new TextEncoder().encode(JSON.stringify(report)));
    if (status < 200 || status >= 300) return;
    declarative.counts.reports++;
    if (full) declarative.reported = {};
    for (const [name, value] of changed) declarative.reported[name] = JSON.stringify(value);
  }
}

function declared(verdicts: ReadonlyMap<string, DeclarationVerdict>): object {
  const list = (wanted: Kind) =>
    [...verdicts.values()].filter(({ kind }) => kind === wanted).map(({ kind: _, ...state }) => state);
  return Object.fromEntries(kinds.map(({ kind, states }) => [states, list(kind)]));
}

/** Names of the items that active subscriptions ask for. */
function subscribed(
  declarative: DeclarativeState,
  verdicts: ReadonlyMap<string, DeclarationVerdict>,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { type, identifier, payload } of declarative.declarations) {
    const verdict = verdicts.get(identifier);
    if (type !== 'com.apple.configuration.management.status-subscriptions' || verdict?.active !== true) continue;
    const list = payload['StatusItems'];
    for (const item of Array.isArray(list) ? (list as readonly unknown[]) : []) {
      if (isObject(item) && typeof item['Name'] === 'string') names.add(item['Name']);
    }
  }
  return names;
}

/** Lists of objects are reported by what changed in them. */
function incremental(known: string | undefined, value: unknown): unknown {
  if (!Array.isArray(value) || known === undefined) return value;
  const before = JSON.parse(known) as readonly { readonly identifier: string }[];
  const old = new Map(before.map((item) => [item.identifier, JSON.stringify(item)]));
  const now = value as readonly { readonly identifier: string }[];
  const there = new Set(now.map((item) => item.identifier));
  return [
    ...now.filter((item) => old.get(item.identifier) !== JSON.stringify(item)),
    ...before.filter((item) => !there.has(item.identifier)).map(({ identifier }) => ({ identifier, _removed: true })),
  ];
}

function nest(root: { [key: string]: unknown }, name: string, value: unknown): void {
  const parts = name.split('.');
  const last = parts.pop()!;
  let at = root;
  for (const part of parts) {
    const inner = (at[part] ?? {}) as { [key: string]: unknown };
    at[part] = inner;
    at = inner;
  }
  at[last] = value;
}

function readJson(answer: DeviceResponse): { readonly [key: string]: unknown } | null {
  if (answer.status !== 200) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer.body));
    return isObject(value) ? value : null;
  } catch {
    return null; // the device cannot make anything of it, and tries again later
  }
}

interface Manifest {
  readonly token: string;
  readonly items: readonly { readonly kind: Kind; readonly identifier: string; readonly serverToken: string }[];
}

function readManifest(value: { readonly [key: string]: unknown } | null): Manifest | null {
  const declarations = value?.['Declarations'];
  const token = value?.['DeclarationsToken'];
  if (!isObject(declarations) || typeof token !== 'string') return null;
  const items: Manifest['items'][number][] = [];
  for (const { kind, items: name } of kinds) {
    const list = declarations[name];
    if (!Array.isArray(list)) return null;
    for (const item of list as readonly unknown[]) {
      const identifier = isObject(item) ? item['Identifier'] : undefined;
      const serverToken = isObject(item) ? item['ServerToken'] : undefined;
      if (typeof identifier !== 'string' || typeof serverToken !== 'string') return null;
      items.push({ kind, identifier, serverToken });
    }
  }
  return { token, items };
}

function readDeclaration(answer: DeviceResponse, kind: Kind, identifier: string, serverToken: string): HeldDeclaration {
  const value = readJson(answer);
  const type = value?.['Type'];
  const token = value?.['ServerToken'];
  const payload = value?.['Payload'];
  if (
    typeof type !== 'string' ||
    typeof token !== 'string' ||
    !isObject(payload) ||
    value?.['Identifier'] !== identifier
  ) {
    return { kind, identifier, serverToken, type: typeof type === 'string' ? type : '', payload: {}, broken: true };
  }
  return { kind, identifier, serverToken: token, type, payload };
}
