// Checks before education is turned off (ABM-15), and of how an organisation is set up at Apple (ABM-31).

/** A device as the check before turning education off needs it. */
export interface EducationDevice {
  readonly id: string;
  readonly lostMode: boolean;
  readonly wiped: boolean;
  readonly retired: boolean;
}

/** What is still to be done, in the order in which it has to be. */
export interface EducationPreflight {
  /** True when education may be turned off without more ado; otherwise somebody has to insist. */
  readonly ready: boolean;
  readonly inLostMode: readonly string[];
  readonly notWiped: readonly string[];
  readonly notRetired: readonly string[];
}

/** Looks whether education can be turned off: no device in Lost Mode, all wiped, all retired. */
export function educationPreflight(devices: Iterable<EducationDevice>): EducationPreflight {
  const [inLostMode, notWiped, notRetired]: [string[], string[], string[]] = [[], [], []];
  for (const device of devices) {
    if (device.lostMode) inLostMode.push(device.id);
    if (!device.wiped) notWiped.push(device.id);
    if (!device.retired) notRetired.push(device.id);
  }
  return { ready: inLostMode.length + notWiped.length + notRetired.length === 0, inLostMode, notWiped, notRetired };
}

/** How an organisation is set up; what is left out is not checked. */
export interface OrganisationFacts {
  /** Apple School Manager or Apple Business Manager. */
  readonly manager: 'edu' | 'org';
  /** Name of the organisation whose Managed Apple Accounts are used: `org_name` of the device enrolment account. */
  readonly accountOrganisation?: string;
  /** Content tokens, of both managers together; `orgName` as the token has it. */
  readonly licenceAccounts?: readonly {
    readonly location: string;
    readonly orgName?: string;
    readonly managedElsewhere?: boolean;
  }[];
  /** Enrolment profiles that ask for no user. */
  readonly anonymousProfiles?: readonly string[];
  /** Apps that are assigned to users where devices could have them. */
  readonly userLicencedApps?: readonly string[];
  /** Devices that go to other people. */
  readonly reusedDevices?: readonly { readonly id: string; readonly wiped: boolean; readonly retired: boolean }[];
  /** Managed Apple Accounts of people who are teacher and student. */
  readonly accountsWithBothRoles?: readonly string[];
  /** Configurations that speak of `$MANAGED_APPLE_ID$`, and whether their labels have devices with one only. */
  readonly managedAppleIdConfigurations?: readonly { readonly id: string; readonly limited: boolean }[];
}

/** Something that had better be otherwise. `block`: it must not go on like this. */
export interface OrganisationFinding {
  /** `ade.organisation.…` */
  readonly code: string;
  readonly severity: 'block' | 'advice';
  /** What it is about. */
  readonly ids: readonly string[];
  readonly message: string;
}

const mostAccounts = 10;

/** Checks an organisation by Apple's recommendations. */
export function checkOrganisation(facts: OrganisationFacts): readonly OrganisationFinding[] {
  const findings: OrganisationFinding[] = [];
  const find = (name: string, severity: 'block' | 'advice', ids: readonly string[], message: string): void => {
    if (ids.length > 0) findings.push({ code: `ade.organisation.${name}`, severity, ids, message });
  };
  const notReady = (facts.reusedDevices ?? []).filter((device) => !device.wiped || !device.retired);
  const ids = (list: readonly { readonly id: string }[]): string[] => list.map((item) => item.id);
  find('reuse', 'block', ids(notReady), 'devices that are used again must be wiped and retired first');
  const open = (facts.managedAppleIdConfigurations ?? []).filter((item) => !item.limited);
  find(
    'managed_apple_id',
    'block',
    ids(open),
    'only devices with a Managed Apple Account may get these configurations',
  );
  const accounts = facts.licenceAccounts;
  if (accounts !== undefined) {
    const shared = accounts.filter((item) => item.managedElsewhere === true).map((item) => item.location);
    const own = facts.accountOrganisation?.trim().toLowerCase();
    const isOther = (name: string | undefined): boolean =>
      own !== undefined && name !== undefined && name.trim().toLowerCase() !== own;
    const others = accounts.filter((item) => isOther(item.orgName)).map((item) => item.location);
    const why =
      'apps for Managed Apple Accounts (User Enrolment, Shared iPad) must be licensed by their own organisation';
    find('other_organisation', 'advice', others, why);
    find('shared_location', 'advice', shared, 'each server needs locations of its own');
    if (accounts.length > mostAccounts) {
      const rest = accounts.slice(mostAccounts).map((item) => item.location);
      find('licence_accounts', 'advice', rest, `a server has at most ${mostAccounts} licence accounts`);
    }
    if (facts.manager === 'org' && accounts.length === 0) {
      find('no_location', 'advice', ['-'], 'without a location of its own the server has no apps to give');
    }
  }
  if (facts.manager === 'edu') {
    find('anonymous', 'advice', facts.anonymousProfiles ?? [], 'in schools devices are enrolled for somebody');
    find('user_licences', 'advice', facts.userLicencedApps ?? [], 'in schools licences are best given to devices');
    find('both_roles', 'advice', facts.accountsWithBothRoles ?? [], 'an account is of a teacher or of a student');
  }
  return findings;
}
