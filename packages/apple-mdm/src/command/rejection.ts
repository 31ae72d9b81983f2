// Why a device rejects an app or a book, and what helps (ABM-26).

/** A reason that a device gives, and what can be done. */
export interface RejectionFacts {
  readonly cause: string;
  readonly remedy?: string;
}

/**
 * The values of `RejectionReason` in the answers to `InstallApplication` and `InstallMedia`. Values: Apple's schema,
 * `application.install.yaml` and `media.install.yaml`.
 */
export const rejectionReasons: Readonly<Record<string, RejectionFacts>> = {
  AppAlreadyInstalled: {
    cause: 'the app is there already, installed by the user; on a User Enrolment it cannot be seen or taken over',
    remedy: 'Have the user remove the app, then ask for its installation again.',
  },
  AppAlreadyQueued: { cause: 'the app is waiting to be installed', remedy: 'Wait: it is on its way.' },
  AppStoreDisabled: {
    cause: 'the App Store is turned off on the device',
    remedy: 'Lift the restriction on installing apps, or have the app licensed for the device.',
  },
  CouldNotVerifyAppID: {
    cause: 'the device could not find the app in the App Store',
    remedy: 'Look whether the app is sold in the country of the account, and whether the device reaches the App Store.',
  },
  ManagementChangeNotSupported: {
    cause: 'an app that the user installed cannot be taken under management here',
    remedy: 'Have the user remove the app, then ask for its installation again.',
  },
  NotAnApp: { cause: 'the identifier is not that of an app', remedy: 'Correct the identifier.' },
  NotSupported: { cause: 'the device does not support the app, or this way to install it' },
  Other: { cause: 'the device does not say why' },
  PurchaseMethodNotSupported: {
    cause: 'the device does not take an app bought in this way',
    remedy: 'Assign a licence of Apps and Books.',
  },
  PurchaseMethodNotSupportedInMultiUser: {
    cause: 'a Shared iPad takes only apps that are licensed for the device',
    remedy: 'Assign a licence to the device.',
  },
  CouldNotVerifyITunesStoreID: {
    cause: 'the device could not find the item in the store',
    remedy: 'Look whether the item is sold in the country of the account, and whether the device reaches the store.',
  },
  PurchaseNotFound: {
    cause: 'nothing shows that the item was bought for this user',
    remedy: 'Assign a licence to the user.',
  },
  WrongMediaType: { cause: 'the item is of another kind than the command says', remedy: 'Correct the kind.' },
  DownloadInvalid: {
    cause: 'what was downloaded is not a book that the device takes',
    remedy: 'Look at the file and at its address.',
  },
  EnterpriseBooksNotSupportedInMultiUser: { cause: 'a Shared iPad takes no books of the organisation’s own' },
};
