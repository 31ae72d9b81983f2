// Which status items there are: name | platform, first version, and what else holds there. Facts of Apple's schema
// (declarative/status, 18.3 with what OS 27 adds). On Macs an item is the device's unless it says `user` (of a user's channel
// only) or `both`; on Shared iPads it is of both unless it says `shared-…`. `private`: not in a User Enrolment.

const table = `
account.list.caldav | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.carddav | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.exchange | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.google | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.ldap | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.mail.incoming | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.mail.outgoing | iOS 16.0 shared-user, macOS 13.0 user, visionOS 1.1
account.list.subscribed-calendar | iOS 16.0 shared-user, macOS 14.0 user, visionOS 1.1
app.managed.list | iOS 17.2 shared-system
content-cache.info | macOS 27.0 private
content-cache.parents | macOS 27.0 private
content-cache.peers | macOS 27.0 private
content-cache.status | macOS 27.0 private
device.identifier.serial-number | iOS 16.0 private, macOS 13.0 both private, tvOS 16.0, visionOS 1.1 private, watchOS 10.0
device.identifier.udid | iOS 16.0 private, macOS 13.0 both private, tvOS 16.0, visionOS 1.1 private, watchOS 10.0
device.model.family | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.model.identifier | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.model.marketing-name | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.model.number | iOS 17.0, macOS 14.0 both, tvOS 17.0, visionOS 1.1, watchOS 10.0
device.operating-system.build-version | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.operating-system.family | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.operating-system.marketing-name | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.operating-system.supplemental.build-version | iOS 16.1, macOS 13.0 both, tvOS 16.1, visionOS 1.1, watchOS 10.0
device.operating-system.supplemental.extra-version | iOS 16.1, macOS 13.0 both, tvOS 16.1, visionOS 1.1, watchOS 10.0
device.operating-system.version | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
device.power.battery-health | iOS 17.0 shared-system private, macOS 14.4 private
device.system.health | iOS 27.0 shared-system private supervised
diskmanagement.filevault.enabled | macOS 14.0 private
enhanced-logging.applecare-token | iOS 27.0 shared-system private supervised, macOS 27.0 user private, tvOS 27.0 supervised
enhanced-logging.status | iOS 27.0 shared-system private supervised, macOS 27.0 user private, tvOS 27.0 supervised
enhanced-logging.timestamp | iOS 27.0 shared-system private supervised, macOS 27.0 user private, tvOS 27.0 supervised
management.client-capabilities | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
management.declarations | iOS 15.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
mdm.app | iOS 16.0, tvOS 16.0, visionOS 1.1, watchOS 10.0
mdm.enrollment-type | iOS 27.0, macOS 27.0 both, tvOS 27.0, visionOS 27.0, watchOS 27.0
mdm.is-awaiting-configuration | iOS 27.0, macOS 27.0 both, tvOS 27.0, visionOS 27.0
mdm.is-return-to-service | iOS 27.0, visionOS 27.0
mdm.is-shared-ipad | iOS 27.0
mdm.push-magic | iOS 27.0, macOS 27.0 both, tvOS 27.0, visionOS 27.0, watchOS 27.0
mdm.push-token | iOS 27.0, macOS 27.0 both, tvOS 27.0, visionOS 27.0, watchOS 27.0
migration-assistant.report | macOS 26.4 private
migration-assistant.state | macOS 26.4 private
package.list | macOS 26.0 private
passcode.is-compliant | iOS 16.0, visionOS 1.1, watchOS 10.0
passcode.is-present | iOS 16.0, visionOS 1.1, watchOS 10.0
screensharing.connection.group.unresolved-connection | macOS 14.1 both
security.certificate.list | iOS 17.0, macOS 14.0 both, tvOS 17.0, visionOS 1.1, watchOS 10.0
security.lockdown-mode | iOS 27.0 shared-none private supervised, macOS 27.0 private, watchOS 27.0
services.background-task | macOS 14.0 private
softwareupdate.beta-enrollment | iOS 18.0 shared-system private, macOS 15.0 private
softwareupdate.device-id | iOS 18.0 shared-system private, macOS 15.0 private
softwareupdate.failure-reason | iOS 17.0 shared-system private, macOS 14.0 private
softwareupdate.install-reason | iOS 17.0 shared-system private, macOS 14.0 private
softwareupdate.install-state | iOS 17.0 shared-system private, macOS 14.0 private
softwareupdate.pending-version | iOS 17.0 shared-system private, macOS 14.0 private
test.array-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.boolean-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.dictionary-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.error-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.integer-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.real-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
test.string-value | iOS 16.0, macOS 13.0 both, tvOS 16.0, visionOS 1.1, watchOS 10.0
`;

/** Where a status item is known. */
export interface StatusAvailability {
  /** First version by platform. */
  readonly os: { readonly [platform: string]: string };
  /** What else holds, by platform. */
  readonly words: { readonly [platform: string]: readonly string[] };
}

/** All items, by name. */
export const statusTable: ReadonlyMap<string, StatusAvailability> = new Map(
  table
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', systems = ''] = line.split(' | ');
      const parts = systems.split(', ').map((part) => part.split(' '));
      const os = Object.fromEntries(parts.map(([platform = '', since = '']) => [platform, since]));
      const words = Object.fromEntries(parts.map(([platform = '', , ...rest]) => [platform, rest]));
      return [name, { os, words }];
    }),
);
