// Responses to the queries beside the inventory batch, as facts and lists.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inventoryCommands, mainUpdate, readInventory, readResponse, schema } from '../src/index.ts';
import { plist } from './fixtures/messages.ts';

const value = (inner: string) =>
  readResponse(
    plist(
      `<key>UDID</key><string>U</string><key>CommandUUID</key><string>c</string><key>Status</key><string>Acknowledged</string>${inner}`,
    ),
  ).value;

describe('the responses to queries', () => {
  it('of managed apps', () => {
    const read = readInventory(
      'ManagedApplicationList',
      value(`<key>ManagedApplicationList</key><dict>
        <key>com.example.a</key><dict><key>Status</key><string>Managed</string><key>ManagementFlags</key><integer>1</integer><key>HasConfiguration</key><true/></dict>
        <key>com.example.b</key><dict><key>Status</key><string>Installing</string></dict>
        <key>com.example.c</key><dict/></dict>`),
    );
    expect(read?.managedApps).toEqual({
      items: [
        { bundleId: 'com.example.a', status: 'Managed', managementFlags: 1, hasConfiguration: true },
        { bundleId: 'com.example.b', status: 'Installing' },
      ],
      unreadable: 1,
    });
    expect(read?.facts).toEqual({
      'ios.managed_app_identifiers': ['com.example.a'],
      'ios.managed_app_states': ['com.example.a=Managed', 'com.example.b=Installing'],
    });
  });

  it('of provisioning profiles', () => {
    const read = readInventory(
      'ProvisioningProfileList',
      value(`<key>ProvisioningProfileList</key><array>
        <dict><key>Name</key><string>A</string><key>UUID</key><string>1</string><key>ExpiryDate</key><date>2027-01-02T00:00:00Z</date></dict>
        <dict><key>Name</key><string>B</string><key>UUID</key><string>2</string><key>ExpiryDate</key><date>2026-12-01T00:00:00Z</date></dict>
        <dict><key>Name</key><string>no UUID</string></dict></array>`),
    );
    expect(read?.provisioningProfiles?.unreadable).toBe(1);
    expect(read?.facts).toEqual({
      'ios.provisioning_profile_uuids': ['1', '2'],
      'ios.provisioning_profile_expires_at': Date.UTC(2026, 11, 1),
    });
  });

  it('of the users of a Shared iPad, and of a Mac', () => {
    const ipad = readInventory(
      'UserList',
      value(`<key>Users</key><array><dict><key>UserName</key><string>ann@example.com</string><key>IsLoggedIn</key><true/><key>HasDataToSync</key><false/><key>DataQuota</key><integer>1000</integer><key>DataUsed</key><integer>10</integer></dict>
        <dict><key>UserName</key><string>bob@example.com</string><key>IsLoggedIn</key><false/></dict></array>`),
    );
    expect(ipad?.users?.items[0]).toEqual({
      name: 'ann@example.com',
      loggedIn: true,
      hasDataToSync: false,
      dataQuota: 1000,
      dataUsed: 10,
    });
    expect(ipad?.facts).toEqual({
      'ios.users': ['ann@example.com', 'bob@example.com'],
      'ios.logged_in_users': ['ann@example.com'],
      'ios.active_resident_users': 2,
    });
    const mac = readInventory(
      'UserList',
      value(
        '<key>Users</key><array><dict><key>UserName</key><string>ann</string><key>UID</key><integer>501</integer></dict></array>',
      ),
    );
    expect(mac?.facts).toEqual({ 'ios.users': ['ann'], 'ios.logged_in_users': [] });
  });

  it('of books', () => {
    const read = readInventory(
      'ManagedMediaList',
      value(
        '<key>Books</key><array><dict><key>State</key><string>Installed</string><key>PersistentID</key><string>p</string><key>iTunesStoreID</key><integer>5</integer></dict></array>',
      ),
    );
    expect(read?.books?.items).toEqual([{ state: 'Installed', persistentId: 'p', storeId: 5 }]);
  });

  it('of restrictions', () => {
    const read = readInventory(
      'Restrictions',
      value(`<key>GlobalRestrictions</key><dict>
        <key>restrictedBool</key><dict><key>allowCamera</key><dict><key>value</key><false/></dict><key>forceEncryptedBackup</key><dict><key>value</key><true/></dict></dict>
        <key>restrictedValue</key><dict><key>maxInactivity</key><dict><key>value</key><integer>5</integer></dict></dict>
        <key>intersection</key><dict><key>allowedThings</key><dict><key>values</key><array><string>a</string></array></dict></dict>
        <key>union</key><dict><key>deniedThings</key><dict><key>values</key><array><string>b</string></array></dict></dict></dict>`),
    );
    expect(read?.restrictions).toEqual({
      booleans: { allowCamera: false, forceEncryptedBackup: true },
      values: { maxInactivity: 5 },
      lists: { allowedThings: ['a'], deniedThings: ['b'] },
    });
    expect(read?.facts).toEqual({
      'ios.restrictions_off': ['allowCamera'],
      'ios.restrictions_on': ['forceEncryptedBackup'],
      'ios.forceEncryptedBackup': true,
    });
  });

  it('of updates: a system rather than data, the newest', () => {
    const update = (key: string, version: string, more = '') =>
      `<dict><key>ProductKey</key><string>${key}</string><key>Version</key><string>${version}</string><key>HumanReadableName</key><string>${key} name</string>${more}</dict>`;
    const read = readInventory(
      'AvailableOSUpdates',
      value(
        `<key>AvailableOSUpdates</key><array>${update('data', '99', '<key>IsConfigDataUpdate</key><true/>')}${update('old', '14.9')}${update('new', '14.10.1')}</array>`,
      ),
    );
    expect(read?.facts).toEqual({
      'ios.osUpdateProductKey': 'new',
      'ios.osUpdateProductVersion': '14.10.1',
      'ios.osUpdateName': 'new name',
    });
    expect(mainUpdate([])).toBeUndefined();
    expect(readInventory('AvailableOSUpdates', value('<key>AvailableOSUpdates</key><array/>'))?.facts).toEqual({
      'ios.osUpdateProductKey': null,
      'ios.osUpdateProductVersion': null,
      'ios.osUpdateName': null,
    });
    const status = readInventory(
      'OSUpdateStatus',
      value(`<key>OSUpdateStatus</key><array>
        <dict><key>ProductKey</key><string>a</string><key>Status</key><string>Idle</string></dict>
        <dict><key>ProductKey</key><string>b</string><key>Status</key><string>Downloading</string><key>DownloadPercentComplete</key><real>0.256</real><key>MaxDeferrals</key><integer>3</integer></dict></array>`),
    );
    expect(status?.facts).toMatchObject({
      'ios.osUpdateStatus': 'Downloading',
      'ios.osUpdateDownloadProgress': 26,
      'ios.osUpdateMaxDeferrals': 3,
      'ios.osUpdateNextScheduledInstall': null,
    });
  });

  it('of a location, which stays out of the facts', () => {
    const place = (latitude: string) =>
      value(
        `<key>Latitude</key><real>${latitude}</real><key>Longitude</key><real>-122.03</real><key>HorizontalAccuracy</key><integer>65</integer><key>Timestamp</key><string>2026-03-01T10:00:00Z</string>`,
      );
    const read = readInventory('DeviceLocation', place('37.33'));
    expect(read?.location).toEqual({
      latitude: 37.33,
      longitude: -122.03,
      horizontalAccuracy: 65,
      at: Date.UTC(2026, 2, 1, 10),
    });
    expect(read?.facts).toEqual({ 'common.location_last_captured_at': Date.UTC(2026, 2, 1, 10) });
    expect(readInventory('DeviceLocation', place('137.33'))).toEqual({ facts: {} });
    expect(readInventory('DeviceLocation', value(''))).toEqual({ facts: {} });
  });

  it('of any shape never throw', () => {
    const keys = inventoryCommands.flatMap((name) => (schema.command(name)?.replies ?? []).map(({ key }) => key));
    const any = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.double({ noInteger: true }),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array({ maxLength: 4 }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom('Status', 'UserName', 'UUID', 'ProductKey', 'value', 'restrictedBool', '__proto__', 'x'),
          tie('value'),
          {
            maxKeys: 3,
          },
        ),
      ),
    })).value;
    const runs = process.env['ESPALIER_NIGHTLY'] === '1' ? 5000 : 300;
    fc.assert(
      fc.property(
        fc.constantFrom(...inventoryCommands),
        fc.dictionary(fc.constantFrom(...keys), any),
        (name, message) => {
          expect(readInventory(name, message as never)?.facts).toBeDefined();
        },
      ),
      { seed: 20261123, numRuns: runs },
    );
  });
});
