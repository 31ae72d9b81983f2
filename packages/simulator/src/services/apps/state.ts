// What a simulated location of Apps and Books holds: assets, users, assignments, and events that change them.

/** An asset of the location. */
export interface SimulatedAsset {
  readonly adamId: string;
  readonly pricingParam: string;
  readonly productType: 'App' | 'Book';
  readonly deviceAssignable: boolean;
  readonly revocable: boolean;
  readonly supportedPlatforms: readonly string[];
  totalCount: number;
}

/** A user of the location. */
export interface SimulatedUser {
  readonly clientUserId: string;
  email?: string;
  managedAppleId?: string;
  idHash?: string;
  readonly inviteCode: string;
  status: 'Registered' | 'Associated' | 'Retired';
  version: number;
}

/** Something that was asked for and takes its time. */
export interface SimulatedEvent {
  readonly id: string;
  readonly type: 'ASSOCIATE' | 'DISASSOCIATE' | 'REVOKE' | 'CREATE' | 'UPDATE' | 'RETIRE';
  /** Set where it is not about assets or users. */
  readonly about?: 'subscriptions';
  readonly at: number;
  readonly requested: number;
  readonly run: () => EventOutcome;
  outcome?: EventOutcome;
}

/** What became of an event. */
export interface EventOutcome {
  readonly completed: number;
  readonly failures: readonly Failure[];
  /** Elements for notifications: of assignments or users. */
  readonly elements: readonly object[];
}

/** Why elements of an event failed. */
export interface Failure {
  readonly errorNumber: number;
  readonly errorMessage: string;
  readonly errorInfo: { readonly clientUserIds?: readonly string[]; readonly serialNumbers?: readonly string[] };
}

/** Who has an asset. */
export interface Holder {
  readonly clientUserId?: string;
  readonly serialNumber?: string;
}

interface Held extends Holder {
  readonly asset: SimulatedAsset;
  readonly version: number;
}

/** A location. */
export class Location {
  readonly assets = new Map<string, SimulatedAsset>();
  readonly users = new Map<string, SimulatedUser>();
  readonly assignments = new Map<string, Held>();
  /** Rises with each change. */
  version = 1;
  readonly #domains: readonly string[] | undefined;

  constructor(domains?: readonly string[]) {
    this.#domains = domains;
  }

  /** Why an Apple Account cannot be a user's: another one has it (9641), or it is not the organisation's (9635). */
  refuses(managedAppleId: string, clientUserId: string): 9635 | 9641 | undefined {
    const domain = managedAppleId.slice(managedAppleId.lastIndexOf('@') + 1);
    if (this.#domains?.includes(domain) === false) return 9635;
    for (const other of this.users.values()) {
      if (other.clientUserId === clientUserId || other.status === 'Retired') continue;
      if (other.managedAppleId === managedAppleId) return 9641;
    }
    return undefined;
  }

  /** The asset of a request; `STDQ` is what is meant where no quality is named. */
  asset(adamId: unknown, pricingParam: unknown = 'STDQ'): SimulatedAsset | undefined {
    return this.assets.get(`${String(adamId)}/${String(pricingParam)}`);
  }

  assigned(asset: SimulatedAsset): number {
    let count = 0;
    for (const held of this.assignments.values()) if (held.asset === asset) count++;
    return count;
  }

  associate(assets: readonly SimulatedAsset[], holders: readonly Holder[]): EventOutcome {
    return this.#each(assets, holders, (asset, holder) => {
      if (holder.clientUserId !== undefined && !this.#active(holder.clientUserId)) {
        return [9609, 'Registered user not found'];
      }
      const key = keyOf(asset, holder);
      if (this.assignments.has(key)) return undefined;
      if (this.assigned(asset) >= asset.totalCount) return [9709, 'There aren’t enough assets available'];
      this.assignments.set(key, { asset, ...holder, version: ++this.version });
      return undefined;
    });
  }

  disassociate(assets: readonly SimulatedAsset[], holders: readonly Holder[]): EventOutcome {
    return this.#each(assets, holders, (asset, holder) => {
      if (this.assignments.delete(keyOf(asset, holder))) this.version++;
      return undefined;
    });
  }

  revoke(holders: readonly Holder[]): EventOutcome {
    const elements: object[] = [];
    for (const [key, held] of this.assignments) {
      if (!held.asset.revocable || !holders.some((holder) => isSame(holder, held))) continue;
      this.assignments.delete(key);
      this.version++;
      elements.push(describeAssignment(held));
    }
    return { completed: holders.length, failures: [], elements };
  }

  #active(clientUserId: string): boolean {
    const user = this.users.get(clientUserId);
    return user !== undefined && user.status !== 'Retired';
  }

  #each(
    assets: readonly SimulatedAsset[],
    holders: readonly Holder[],
    act: (asset: SimulatedAsset, holder: Holder) => readonly [number, string] | undefined,
  ): EventOutcome {
    const elements: object[] = [];
    const failed = new Map<number, { message: string; holders: Holder[] }>();
    for (const asset of assets) {
      for (const holder of holders) {
        const problem = act(asset, holder);
        if (problem === undefined) elements.push(describeAssignment({ asset, ...holder }));
        else {
          const [number, message] = problem;
          const group = failed.get(number) ?? { message, holders: [] };
          group.holders.push(holder);
          failed.set(number, group);
        }
      }
    }
    const failures = [...failed].map(([errorNumber, { message, holders: of }]) => ({
      errorNumber,
      errorMessage: message,
      errorInfo: infoOf(of),
    }));
    return { completed: elements.length, failures, elements };
  }
}

function infoOf(holders: readonly Holder[]): Failure['errorInfo'] {
  const clientUserIds = holders.flatMap((holder) => holder.clientUserId ?? []);
  const serialNumbers = holders.flatMap((holder) => holder.serialNumber ?? []);
  return {
    ...(clientUserIds.length > 0 && { clientUserIds }),
    ...(serialNumbers.length > 0 && { serialNumbers }),
  };
}

const keyOf = (asset: SimulatedAsset, holder: Holder): string =>
  `${asset.adamId}/${asset.pricingParam}/${holder.clientUserId ?? ''}/${holder.serialNumber ?? ''}`;

const isSame = (a: Holder, b: Holder): boolean =>
  a.clientUserId === b.clientUserId && a.serialNumber === b.serialNumber;

/** An assignment as the service shows it. */
export function describeAssignment(held: Omit<Held, 'version'>): object {
  const { asset, clientUserId, serialNumber } = held;
  return {
    adamId: asset.adamId,
    pricingParam: asset.pricingParam,
    ...(clientUserId !== undefined && { clientUserId }),
    ...(serialNumber !== undefined && { serialNumber }),
  };
}

/** A user as the service shows it. */
export function describeUser(user: SimulatedUser): object {
  const { version: _, inviteCode, ...shown } = user;
  return user.status === 'Registered' ? { ...shown, inviteCode } : shown;
}
