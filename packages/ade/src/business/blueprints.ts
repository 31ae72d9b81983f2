// Blueprints and configurations of the device management that is built into Apple Business Manager.
import { readerOf, readId } from './fields.ts';
import { apiPath, type BusinessTransport, unlessMissing } from './transport.ts';

/** What a Blueprint is made of: what is given out, and to whom. */
export type BlueprintPart = 'apps' | 'configurations' | 'packages' | 'orgDevices' | 'users' | 'userGroups';

/** A Blueprint: what devices and users get. Source: Apple Business API, `Blueprint.Attributes`. */
export interface Blueprint {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  /** `ACTIVE`, `TO_BE_DELETED`. */
  readonly status?: string;
  /** Whether there are not enough licences for its apps. */
  readonly appLicenseDeficient?: boolean;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** What a Blueprint is to be. Apple drops ids that it does not know. */
export interface BlueprintChange {
  readonly name?: string;
  readonly description?: string;
  /** Ids, of each part; a part that is given takes the place of what was there. */
  readonly parts?: Readonly<Partial<Record<BlueprintPart, readonly string[]>>>;
}

/** A configuration. Those of type `CUSTOM_SETTING` are configuration profiles. */
export interface BusinessConfiguration {
  readonly id: string;
  /** `CUSTOM_SETTING`, `WIFI`, `VPN`, `FILE_VAULT` … */
  readonly type?: string;
  readonly name?: string;
  /** `PLATFORM_IOS`, `PLATFORM_MACOS`, `PLATFORM_TVOS`, `PLATFORM_VISIONOS`. */
  readonly configuredForPlatforms?: readonly string[];
  /** The profile (XML), of a custom one. */
  readonly configurationProfile?: string;
  readonly filename?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
}

/** What a custom configuration is to be. */
export interface ConfigurationChange {
  readonly name?: string;
  /** Default: those that the profile's payloads are for. */
  readonly configuredForPlatforms?: readonly string[];
  /** The profile, as XML text. */
  readonly configurationProfile?: string;
  /** Ends in `.mobileconfig`. */
  readonly filename?: string;
}

/** What the client can do with them. Apple Business Manager only: otherwise `ade.business.not_there`. */
export interface BlueprintMethods {
  blueprints(): AsyncIterable<readonly Blueprint[]>;
  /** A Blueprint; undefined when the organisation has none with this id. */
  blueprint(id: string): Promise<Blueprint | undefined>;
  createBlueprint(blueprint: BlueprintChange & { readonly name: string }): Promise<Blueprint>;
  /** Changes what is given of a Blueprint; the rest stays. */
  updateBlueprint(id: string, change: BlueprintChange): Promise<Blueprint>;
  deleteBlueprint(id: string): Promise<void>;
  /** The ids of a part of a Blueprint. */
  blueprintParts(id: string, part: BlueprintPart): AsyncIterable<readonly string[]>;
  addToBlueprint(id: string, part: BlueprintPart, ids: readonly string[]): Promise<void>;
  removeFromBlueprint(id: string, part: BlueprintPart, ids: readonly string[]): Promise<void>;
  configurations(): AsyncIterable<readonly BusinessConfiguration[]>;
  configuration(id: string): Promise<BusinessConfiguration | undefined>;
  /** Makes a configuration of type `CUSTOM_SETTING`, the only one that the API makes. */
  createConfiguration(
    configuration: ConfigurationChange & Required<Pick<ConfigurationChange, 'name' | 'configurationProfile'>>,
  ): Promise<BusinessConfiguration>;
  /** Changes what is given of a configuration of type `CUSTOM_SETTING`. */
  updateConfiguration(id: string, change: ConfigurationChange): Promise<BusinessConfiguration>;
  deleteConfiguration(id: string): Promise<void>;
}

const dates = ['createdDateTime', 'updatedDateTime'] as const;
const readBlueprint = readerOf<Blueprint>({
  texts: ['name', 'description', 'status', ...dates],
  booleans: ['appLicenseDeficient'],
});
const plainConfiguration = readerOf<BusinessConfiguration>({
  texts: ['type', 'name', ...dates],
  lists: ['configuredForPlatforms'],
});

const readConfiguration: typeof plainConfiguration = (object) => {
  const configuration = plainConfiguration(object);
  const custom = object.object('attributes')?.object('customSettingsValues');
  const [configurationProfile, filename] = [custom?.text('configurationProfile'), custom?.text('filename')];
  return (
    configuration && {
      ...configuration,
      ...(configurationProfile !== undefined && { configurationProfile }),
      ...(filename !== undefined && { filename }),
    }
  );
};

const linkages = (type: BlueprintPart, ids: readonly string[]) => ({ data: ids.map((id) => ({ type, id })) });

function blueprintData({ parts = {}, ...attributes }: BlueprintChange, id?: string): object {
  const entries = Object.entries(parts) as [BlueprintPart, readonly string[]][];
  const relationships = Object.fromEntries(entries.map(([part, ids]) => [part, linkages(part, ids)]));
  return { type: 'blueprints', ...(id !== undefined && { id }), attributes, relationships };
}

function configurationData(change: ConfigurationChange, id?: string): object {
  const { configurationProfile, filename, ...plain } = change;
  const customSettingsValues = {
    ...(configurationProfile !== undefined && { configurationProfile }),
    ...(filename !== undefined && { filename }),
  };
  const attributes = {
    ...(id === undefined && { type: 'CUSTOM_SETTING' }),
    ...plain,
    ...(Object.keys(customSettingsValues).length > 0 && { customSettingsValues }),
  };
  return { type: 'configurations', ...(id !== undefined && { id }), attributes };
}

/** Makes the methods. */
export function createBlueprintMethods({ pages, one, send, onlyBusiness }: BusinessTransport): BlueprintMethods {
  const links = (id: string, part: BlueprintPart): string => apiPath('blueprints', id, 'relationships', part);
  return {
    blueprints() {
      onlyBusiness('Blueprints');
      return pages('/v1/blueprints', readBlueprint);
    },
    async blueprint(id) {
      onlyBusiness('Blueprints');
      return unlessMissing(() => one({ path: apiPath('blueprints', id) }, readBlueprint));
    },
    async createBlueprint(blueprint) {
      onlyBusiness('Blueprints');
      // Sent again, it might be there twice.
      return one(
        { path: '/v1/blueprints', body: { data: blueprintData(blueprint) }, repeatable: false },
        readBlueprint,
      );
    },
    async updateBlueprint(id, change) {
      onlyBusiness('Blueprints');
      const body = { data: blueprintData(change, id) };
      return one({ method: 'PATCH', path: apiPath('blueprints', id), body }, readBlueprint);
    },
    async deleteBlueprint(id) {
      onlyBusiness('Blueprints');
      await send({ method: 'DELETE', path: apiPath('blueprints', id) });
    },
    blueprintParts(id, part) {
      onlyBusiness('Blueprints');
      return pages(links(id, part), readId);
    },
    async addToBlueprint(id, part, ids) {
      onlyBusiness('Blueprints');
      await send({ path: links(id, part), body: linkages(part, ids) });
    },
    async removeFromBlueprint(id, part, ids) {
      onlyBusiness('Blueprints');
      await send({ method: 'DELETE', path: links(id, part), body: linkages(part, ids) });
    },
    configurations() {
      onlyBusiness('configurations');
      return pages('/v1/configurations', readConfiguration);
    },
    async configuration(id) {
      onlyBusiness('configurations');
      return unlessMissing(() => one({ path: apiPath('configurations', id) }, readConfiguration));
    },
    async createConfiguration(configuration) {
      onlyBusiness('configurations');
      const body = { data: configurationData(configuration) };
      return one({ path: '/v1/configurations', body, repeatable: false }, readConfiguration);
    },
    async updateConfiguration(id, change) {
      onlyBusiness('configurations');
      const body = { data: configurationData(change, id) };
      return one({ method: 'PATCH', path: apiPath('configurations', id), body }, readConfiguration);
    },
    async deleteConfiguration(id) {
      onlyBusiness('configurations');
      await send({ method: 'DELETE', path: apiPath('configurations', id) });
    },
  };
}
