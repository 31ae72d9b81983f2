// Blueprints and configurations of a simulated organisation: made, changed, put together, deleted.
import { json } from '../answers.ts';
import { missing, pageOf, problem } from './documents.ts';

const parts = ['apps', 'configurations', 'packages', 'orgDevices', 'users', 'userGroups'] as const;
type Part = (typeof parts)[number];

interface Blueprint {
  readonly id: string;
  name: string;
  description: string | undefined;
  readonly createdAt: number;
  updatedAt: number;
  readonly parts: Readonly<Record<Part, Set<string>>>;
}

interface Configuration {
  readonly id: string;
  readonly type: string;
  name: string;
  platforms: readonly string[];
  profile: string | undefined;
  filename: string | undefined;
  readonly createdAt: number;
  updatedAt: number;
}

/** A request about them. */
export interface BlueprintRequest {
  readonly method: string;
  readonly url: URL;
  /** What follows `/v1`. */
  readonly segments: readonly (string | undefined)[];
  readonly body: ReadonlyMap<string, unknown> | undefined;
}

/** What they are made with. */
export interface BlueprintOptions {
  readonly now: () => number;
  readonly newId: () => string;
  readonly maxPage: number;
  /** Whether the organisation has such a thing; configurations are known here. */
  readonly knows: (part: Exclude<Part, 'configurations'>, id: string) => boolean;
}

/** The Blueprints and configurations. */
export interface Blueprints {
  /** Undefined for another path. */
  handle(request: BlueprintRequest): Response | undefined;
  /** Takes a device from all of them. */
  dropDevice(serialNumber: string): void;
}

type Attributes = Readonly<Record<string, unknown>>;
interface Data {
  readonly attributes?: Attributes;
  readonly relationships?: Readonly<Record<string, { readonly data?: unknown }>>;
}

const iso = (at: number): string => new Date(at).toISOString();
const platforms: ReadonlySet<string> = new Set(['IOS', 'MACOS', 'TVOS', 'VISIONOS'].map((name) => `PLATFORM_${name}`));

/** Makes them: one configuration of the portal's own (`WIFI`) is there. */
export function createBlueprints({ now, newId, maxPage, knows }: BlueprintOptions): Blueprints {
  const at = now();
  const wifi = { id: newId(), type: 'WIFI', name: 'Office', platforms: ['PLATFORM_IOS'], createdAt: at, updatedAt: at };
  const configurations: Configuration[] = [{ ...wifi, profile: undefined, filename: undefined }];
  const blueprints: Blueprint[] = [];

  const isKnown = (part: Part, id: string): boolean =>
    part === 'configurations' ? configurations.some((item) => item.id === id) : knows(part, id);

  /** The ids of linkages; undefined when they are not of the part. */
  function idsOf(part: Part, data: unknown): string[] | undefined {
    if (!Array.isArray(data)) return undefined;
    const items = data as readonly { readonly type?: unknown; readonly id?: unknown }[];
    if (items.some((item) => item?.type !== part || typeof item.id !== 'string')) return undefined;
    return items.map((item) => String(item.id));
  }

  function describeBlueprint(blueprint: Blueprint): object {
    const attributes = {
      name: blueprint.name,
      ...(blueprint.description !== undefined && { description: blueprint.description }),
      status: 'ACTIVE',
      appLicenseDeficient: false,
      createdDateTime: iso(blueprint.createdAt),
      updatedDateTime: iso(blueprint.updatedAt),
    };
    return { type: 'blueprints', id: blueprint.id, attributes };
  }

  function describeConfiguration(item: Configuration): object {
    const custom = { configurationProfile: item.profile, filename: item.filename };
    const attributes = {
      type: item.type,
      name: item.name,
      configuredForPlatforms: item.platforms,
      ...(item.profile !== undefined && { customSettingsValues: custom }),
      createdDateTime: iso(item.createdAt),
      updatedDateTime: iso(item.updatedAt),
    };
    return { type: 'configurations', id: item.id, attributes };
  }

  function saveBlueprint(blueprint: Blueprint | undefined, data: Data): Response {
    const { name, description } = data.attributes ?? {};
    if (blueprint === undefined && name === undefined) return problem(409, 'ENTITY_ERROR.ATTRIBUTE.REQUIRED', 'name');
    if (name !== undefined && (typeof name !== 'string' || name === '')) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'name');
    }
    const wanted = new Map<Part, string[]>();
    for (const [key, { data: links }] of Object.entries(data.relationships ?? {})) {
      const part = parts.find((item) => item === key);
      const ids = part && idsOf(part, links);
      if (part === undefined || ids === undefined) return problem(422, 'ENTITY_UNPROCESSABLE', key);
      wanted.set(part, ids);
    }
    const sets = () => Object.fromEntries(parts.map((part) => [part, new Set<string>()])) as Blueprint['parts'];
    const made = { id: newId(), name: '', description: undefined, createdAt: now(), updatedAt: now() };
    const changed: Blueprint = blueprint ?? { ...made, parts: sets() };
    if (typeof name === 'string') changed.name = name;
    if (typeof description === 'string') changed.description = description;
    for (const [part, ids] of wanted) {
      changed.parts[part].clear();
      // Ids that nobody knows are dropped without a word.
      for (const id of ids) if (isKnown(part, id)) changed.parts[part].add(id);
    }
    changed.updatedAt = now();
    if (blueprint === undefined) blueprints.push(changed);
    return json({ data: describeBlueprint(changed) }, blueprint === undefined ? 201 : 200);
  }

  function saveConfiguration(item: Configuration | undefined, attributes: Attributes): Response {
    const custom = (attributes['customSettingsValues'] ?? {}) as Attributes;
    const { type, name, configuredForPlatforms } = attributes;
    const { configurationProfile, filename } = custom;
    const given = [name, configuredForPlatforms, configurationProfile, filename];
    if (item === undefined && type !== 'CUSTOM_SETTING') return problem(422, 'ENTITY_UNPROCESSABLE', 'type');
    if (item !== undefined && item.type !== 'CUSTOM_SETTING') return problem(409, 'STATE_ERROR', 'type');
    if (given.every((value) => value === undefined)) return problem(422, 'ENTITY_UNPROCESSABLE', 'attributes');
    if (item === undefined && (name === undefined || configurationProfile === undefined)) {
      return problem(409, 'ENTITY_ERROR.ATTRIBUTE.REQUIRED', 'configurationProfile');
    }
    const isProfile =
      typeof configurationProfile === 'string' && /<plist[\s\S]*PayloadContent/.test(configurationProfile);
    if (configurationProfile !== undefined && !isProfile) return problem(400, 'ENTITY_INVALID', 'configurationProfile');
    if (filename !== undefined && !String(filename).endsWith('.mobileconfig')) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'filename');
    }
    const wanted = configuredForPlatforms as readonly string[] | undefined;
    if (wanted !== undefined && !(Array.isArray(wanted) && wanted.every((platform) => platforms.has(platform)))) {
      return problem(422, 'ENTITY_UNPROCESSABLE', 'configuredForPlatforms');
    }
    const id = newId();
    const made = {
      id,
      type: 'CUSTOM_SETTING',
      name: '',
      platforms: [...platforms],
      createdAt: now(),
      updatedAt: now(),
    };
    const changed: Configuration = item ?? { ...made, profile: undefined, filename: `${id}.mobileconfig` };
    if (typeof name === 'string') changed.name = name;
    if (wanted !== undefined) changed.platforms = wanted;
    if (isProfile) changed.profile = configurationProfile;
    if (typeof filename === 'string') changed.filename = filename;
    changed.updatedAt = now();
    if (item === undefined) configurations.push(changed);
    return json({ data: describeConfiguration(changed) }, item === undefined ? 201 : 200);
  }

  function link(blueprint: Blueprint, part: Part, { method, url, body }: BlueprintRequest): Response | undefined {
    const held = blueprint.parts[part];
    if (method === 'GET') {
      const ids = [...held];
      return pageOf(url, maxPage, ids.length, (index) => ({ type: part, id: ids[index] }));
    }
    if (method !== 'POST' && method !== 'DELETE') return undefined;
    const ids = idsOf(part, body?.get('data'));
    if (ids === undefined || ids.length === 0) return problem(422, 'ENTITY_UNPROCESSABLE', 'data');
    if (!ids.every((id) => isKnown(part, id))) return problem(409, 'ENTITY_ERROR.RELATIONSHIP.INVALID', part);
    for (const id of ids) method === 'POST' ? held.add(id) : held.delete(id);
    blueprint.updatedAt = now();
    return new Response(null, { status: 204 });
  }

  return {
    handle(request) {
      const { method, url, body } = request;
      const [kind, id, relationships, relation] = request.segments;
      if (kind !== 'blueprints' && kind !== 'configurations') return undefined;
      const list: { readonly id: string }[] = kind === 'blueprints' ? blueprints : configurations;
      const describe = (index: number): object =>
        kind === 'blueprints' ? describeBlueprint(blueprints[index]!) : describeConfiguration(configurations[index]!);
      const data = body?.get('data') as Data | undefined;
      const index = list.findIndex((item) => item.id === id);
      if (id !== undefined && index < 0) return missing(kind, id);
      if (relationships !== undefined) {
        const part = parts.find((item) => item === relation);
        const fits = kind === 'blueprints' && relationships === 'relationships' && part !== undefined;
        return fits ? link(blueprints[index]!, part, request) : undefined;
      }
      if (method === 'GET') {
        return id === undefined ? pageOf(url, maxPage, list.length, describe) : json({ data: describe(index) }, 200);
      }
      if (method === 'DELETE' && id !== undefined) {
        list.splice(index, 1);
        if (kind === 'configurations') for (const { parts: held } of blueprints) held.configurations.delete(id);
        return new Response(null, { status: 204 });
      }
      if (!(method === 'POST' && id === undefined) && !(method === 'PATCH' && id !== undefined)) return undefined;
      if (data?.attributes === undefined) return problem(400, 'ENTITY_INVALID', 'data');
      return kind === 'blueprints'
        ? saveBlueprint(blueprints[index], data)
        : saveConfiguration(configurations[index], data.attributes);
    },
    dropDevice(serialNumber) {
      for (const { parts: held } of blueprints) held.orgDevices.delete(serialNumber);
    },
  };
}
