// The lists of a simulated location: assets, assignments, users, in pages and by version.
import { describeAssignment, describeUser, type Location } from './state.ts';

/** What a list gives: a page, or an error number. */
export type Listed = number | Readonly<Record<string, unknown>>;

interface ListedRecord {
  readonly version: number;
  readonly shown: object;
}

/** A page of records; with `sinceVersionId`, of those that changed since. */
function page(url: URL, key: string, location: Location, pageSize: number, records: readonly ListedRecord[]): Listed {
  const since = url.searchParams.get('sinceVersionId');
  const from = since === null ? 0 : Number(/^v-(\d+)$/.exec(since)?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) return 9721;
  const found = records.filter((record) => record.version > from).map((record) => record.shown);
  const totalPages = Math.max(1, Math.ceil(found.length / pageSize));
  const index = Number(url.searchParams.get('pageIndex') ?? '0');
  if (!Number.isInteger(index) || index < 0 || index >= totalPages) return 9650;
  const items = found.slice(index * pageSize, (index + 1) * pageSize);
  return {
    [key]: items,
    currentPageIndex: index,
    ...(index + 1 < totalPages && { nextPageIndex: index + 1 }),
    size: items.length,
    totalPages,
    versionId: `v-${location.version}`,
  };
}

/** `GET /assets`. */
export function listAssets(location: Location, url: URL, pageSize: number): Listed {
  const type = url.searchParams.get('productType');
  const found = [...location.assets.values()].filter((asset) => type === null || asset.productType === type);
  const records = found.map((asset) => {
    const assignedCount = location.assigned(asset);
    const counts = { assignedCount, availableCount: asset.totalCount - assignedCount, retiredCount: 0 };
    return { version: 1, shown: { ...asset, ...counts } };
  });
  return page(url, 'assets', location, pageSize, records);
}

/** `GET /assignments`. */
export function listAssignments(location: Location, url: URL, pageSize: number): Listed {
  const wanted = ['adamId', 'pricingParam', 'clientUserId', 'serialNumber'].flatMap((key) => {
    const value = url.searchParams.get(key);
    return value === null ? [] : [[key, value] as const];
  });
  const fits = (shown: object): boolean =>
    wanted.every(([key, value]) => (shown as Readonly<Record<string, unknown>>)[key] === value);
  const records = [...location.assignments.values()]
    .map((held) => ({ version: held.version, shown: describeAssignment(held) }))
    .filter(({ shown }) => fits(shown));
  return page(url, 'assignments', location, pageSize, records);
}

/** `GET /users`. */
export function listUsers(location: Location, url: URL, pageSize: number): Listed {
  const { searchParams: query } = url;
  const found = [...location.users.values()].filter(
    (user) =>
      !(query.get('activeOnly') === 'true' && user.status === 'Retired') &&
      !(query.get('retiredOnly') === 'true' && user.status !== 'Retired') &&
      (query.get('clientUserId') ?? user.clientUserId) === user.clientUserId,
  );
  const records = found.map((user) => ({ version: user.version, shown: describeUser(user) }));
  return page(url, 'users', location, pageSize, records);
}
