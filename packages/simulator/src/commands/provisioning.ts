// Provisioning profiles: installed, listed, removed.
import { PkiError, verifyCms } from '@espalier/pki';
import { decodeDict, PlistError } from '@espalier/plist';
import { managedOf, type StoredProvisioningProfile } from '../device/managed-state.ts';
import { acknowledged, failed, type Handlers, malformed, mdmDomain } from './handler.ts';

/** The commands for provisioning profiles. */
export const provisioningHandlers: Handlers = {
  InstallProvisioningProfile: {
    run({ state, payload }) {
      const { ProvisioningProfile: bytes } = payload;
      if (!(bytes instanceof Uint8Array)) return malformed;
      const profile = read(bytes);
      if (profile === undefined) return failed('MCProvisioningProfileErrorDomain', 25000, 'Bad profile');
      const managed = managedOf(state);
      managed.provisioningProfiles = managed.provisioningProfiles.filter((item) => item.uuid !== profile.uuid);
      managed.provisioningProfiles.push(profile);
      return acknowledged();
    },
  },
  ProvisioningProfileList: {
    whenLocked: true,
    run: ({ state }) =>
      acknowledged({
        ProvisioningProfileList: managedOf(state).provisioningProfiles.map(({ uuid, name, expires }) => ({
          ...(expires === null ? {} : { ExpiryDate: new Date(expires) }),
          Name: name,
          UUID: uuid,
        })),
      }),
  },
  RemoveProvisioningProfile: {
    run({ state, payload }) {
      const { UUID: uuid } = payload;
      if (typeof uuid !== 'string') return malformed;
      const managed = managedOf(state);
      if (!managed.provisioningProfiles.some((item) => item.uuid === uuid)) {
        return failed(mdmDomain, 12014, 'Provisioning profile not managed');
      }
      managed.provisioningProfiles = managed.provisioningProfiles.filter((item) => item.uuid !== uuid);
      return acknowledged();
    },
  },
};

/** A property list, signed. */
function read(bytes: Uint8Array): StoredProvisioningProfile | undefined {
  try {
    const { UUID: uuid, Name: name, ExpirationDate: expires } = decodeDict(verifyCms(bytes).content);
    if (typeof uuid !== 'string' || typeof name !== 'string') return undefined;
    return { uuid, name, expires: expires instanceof Date ? expires.getTime() : null };
  } catch (error) {
    if (error instanceof PkiError || error instanceof PlistError) return undefined; // a bad profile, whatever is wrong with it
    throw error;
  }
}
