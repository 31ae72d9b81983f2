// Recipes: named flows of several commands on one device, each step decided by the answer to the one before.
import type { DeviceLocation, DeviceUser } from '@espalier/apple-mdm';

/** What each recipe takes. */
export interface RecipeParameters {
  /** Lost mode on (supervised iPhones and iPads): locks the device with a message or a number, then plays the sound and asks where it is, where wanted. */
  readonly 'lost-mode-on': {
    /** One of message and phone number is needed. */
    readonly message?: string;
    readonly phoneNumber?: string;
    readonly footnote?: string;
    readonly sound?: boolean;
    readonly locate?: boolean;
  };
  /** Asks a device in lost mode where it is. */
  readonly 'lost-mode-locate': Record<never, never>;
  /** Lost mode off. */
  readonly 'lost-mode-off': Record<never, never>;
  /** Clears the passcode, with the unlock token that the device gave when it enrolled (ACT-10). */
  readonly 'clear-passcode': Record<never, never>;
  /** Clears the passcode, and only when that is done restarts or shuts down: a device without passcode rejoins its Wi-Fi. */
  readonly 'clear-passcode-restart': { readonly operation?: 'restart' | 'shutdown' };
  /** Asks a Mac for its FileVault recovery key, encrypted to the escrow identity, and keeps it. */
  readonly 'filevault-escrow': Record<never, never>;
  /** Has a Mac make a new FileVault recovery key, and keeps it. */
  readonly 'filevault-rotate': {
    /** A FileVault user's password, or the current recovery key (default: the key in escrow). */
    readonly password?: string;
  };
  /** Sets the Recovery Lock password of an Apple-silicon Mac, and has the Mac verify it. */
  readonly 'recovery-lock-set': {
    /** Default: 20 random characters. */
    readonly password?: string;
    /** The password in force (default: the one in escrow, if any). */
    readonly currentPassword?: string;
  };
  /** Has the Mac compare its Recovery Lock password with the one in escrow. */
  readonly 'recovery-lock-verify': Record<never, never>;
  /** Takes the Recovery Lock password away. */
  readonly 'recovery-lock-clear': { readonly currentPassword?: string };
  /**
   * Updates the system: by a declaration where the device and the server have it (iOS 17, macOS 14), by commands before:
   * scan, choose, schedule, ask for the status.
   */
  readonly 'software-update': {
    /** The version to install (default: the newest that is offered). */
    readonly version?: string;
    readonly build?: string;
    /** Of the command (default `InstallASAP`). */
    readonly action?:
      | 'Default'
      | 'DownloadOnly'
      | 'InstallASAP'
      | 'NotifyOnly'
      | 'InstallLater'
      | 'InstallForceRestart';
    readonly maxDeferrals?: number;
    /** Of the declaration, in the device's own time: `2026-12-24T18:00:00`. */
    readonly deadline?: string;
    /** Of the declaration: a page about the update. */
    readonly detailsUrl?: string;
  };
  /**
   * Lets Setup Assistant go on, after the commands given (on a Shared iPad's user channel: the user's session); also where the
   * device refuses one of them, which is an event (`command.failed`).
   */
  readonly 'release-awaiting': {
    readonly commands?: readonly {
      readonly requestType: string;
      readonly payload: Readonly<Record<string, unknown>>;
    }[];
  };
  /** Fetches the Activation Lock bypass code, which devices tell for some days after supervision began, and keeps it. */
  readonly 'activation-lock-escrow': Record<never, never>;
  /**
   * Has the device forget its Activation Lock bypass code (POL-18), once the code is in escrow: it is fetched first. The escrow
   * keeps it, since Apple takes it until the device makes another one.
   */
  readonly 'activation-lock-clear': {
    /** Also where no code is in escrow and the device tells none (default false). */
    readonly withoutEscrow?: boolean;
  };
  /**
   * Erases the device. A Mac without Apple silicon needs a PIN afterwards: one is made unless it is given, and kept in
   * escrow (`erase-pin`, one for each erase that was asked for) before the command can reach the Mac. It can be withdrawn until the device has fetched it.
   */
  readonly erase: {
    /** Six digits; Macs only. */
    readonly pin?: string;
    /** iPhones and iPads keep their eSIM. */
    readonly preserveDataPlan?: boolean;
    /** No nearby device may be used for the setup. */
    readonly disallowProximitySetup?: boolean;
    /** Macs, macOS 12. */
    readonly obliterationBehavior?: 'Default' | 'DoNotObliterate' | 'ObliterateWithWarning' | 'Always';
    /** The device enrols again by itself (iOS 17); apps are kept where it gave a bootstrap token (iOS 26). */
    readonly returnToService?: { readonly wifiProfile?: Uint8Array; readonly mdmProfile?: Uint8Array };
  };
  /** Asks a Shared iPad or a Mac for its users (ABM-17). */
  readonly 'user-list': {
    /** Wait until the device is tethered to a network. */
    readonly requireNetworkTether?: boolean;
  };
  /** Logs the user of a Shared iPad out (ABM-17). */
  readonly 'log-out-user': { readonly requireNetworkTether?: boolean };
  /**
   * Deletes users of a Shared iPad or a Mac, one after the other: those named, or all that are not logged in (ABM-17). Users who are
   * logged in, and without `force` those with data that is not in iCloud yet, are left out and told in `skipped`.
   */
  readonly 'delete-users': {
    readonly users?: readonly string[];
    readonly all?: boolean;
    /** Shared iPads: also what is not in iCloud yet, which is lost. */
    readonly force?: boolean;
    readonly requireNetworkTether?: boolean;
  };
}

/** The name of a recipe. */
export type RecipeName = keyof RecipeParameters;

/** How a run stands. */
export type RecipeStatus = 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What a run found out. */
export interface RecipeResult {
  /** Until the device told its place anew: the one from before, with its time. */
  readonly location?: DeviceLocation;
  /** `software-update`: how it was asked for, and what for. */
  readonly method?: 'declaration' | 'command';
  readonly version?: string;
  readonly productKey?: string;
  readonly updateStatus?: string;
  /** `software-update`: nothing to install. */
  readonly upToDate?: boolean;
  /** Who is on the device, after what was done. */
  readonly users?: readonly DeviceUser[];
  /** `delete-users` */
  readonly deleted?: readonly string[];
  readonly skipped?: readonly { readonly user: string; readonly reason: string }[];
}

/** The last run of a recipe on a device. Secrets are never in it. */
export interface RecipeRun {
  readonly recipe: RecipeName;
  readonly runId: string;
  readonly enrolmentId: string;
  readonly status: RecipeStatus;
  /** The command that is under way, or was last. */
  readonly step: { readonly number: number; readonly requestType: string; readonly commandUuid: string } | null;
  readonly startedAt: number;
  readonly updatedAt: number;
  /** Why it failed. */
  readonly reason: string | null;
  readonly result: RecipeResult;
}

/** Flows of several commands on one device. Of each recipe, a device has one run at a time; the last one is kept. */
export interface Recipes {
  /**
   * Checks that the device would take every command of the recipe, and queues the first.
   * @throws CoreError `core.recipe.running` (conflict), `core.recipe.bad_parameters` (invalid), `core.recipe.unavailable`
   *   (conflict: something that it needs is missing), `core.command.unsupported` (conflict), `core.command.invalid`,
   *   `core.enrolment.unknown` (not-found)
   */
  start<N extends RecipeName>(
    enrolmentId: string,
    recipe: N,
    parameters: RecipeParameters[N],
    options?: { readonly origin?: string; readonly force?: boolean },
  ): Promise<RecipeRun>;
  get(enrolmentId: string, recipe: RecipeName): Promise<RecipeRun | null>;
  /** The last run of each recipe, newest first. */
  list(enrolmentId: string): Promise<readonly RecipeRun[]>;
  /** Withdraws what is pending. False when nothing is running, or it is too late: an erase that the device has fetched. */
  cancel(enrolmentId: string, recipe: RecipeName): Promise<boolean>;
}

/** What the escrow keeps of a device. */
export type EscrowKind = 'filevault-key' | 'recovery-lock' | 'activation-lock-bypass' | 'erase-pin';

/** A secret that was escrowed. */
export interface EscrowEntry {
  /** Empty where the secret was taken away (a Recovery Lock that was cleared). */
  readonly value: string;
  readonly at: number;
}

/** Secrets that unlock devices: sealed, with their history, beyond the enrolment's end. */
export interface Escrow {
  /**
   * Newest first, at most ten. The caller checks the role; the reading becomes an event (`escrow.read`).
   */
  read(enrolmentId: string, kind: EscrowKind): Promise<readonly EscrowEntry[]>;
  /** Keeps one that came another way (from a migration, from Apple Business Manager). */
  store(enrolmentId: string, kind: EscrowKind, value: string): Promise<void>;
  /**
   * The word in the address to which a Mac before macOS 10.13 sends its FileVault recovery key
   * (`com.apple.security.FDERecoveryRedirect`): always the same one, which nobody but the Mac is told.
   */
  redirectWord(enrolmentId: string): Promise<string>;
  /**
   * Keeps the recovery key that came to that address. Taken only of a Mac that is enrolled, whose system is not known to be one
   * that keeps its key for `SecurityInfo`, with its word and its serial number, encrypted to the escrow identity. The same key
   * again changes nothing.
   * @throws CoreError `core.escrow.not_expected` (forbidden), `core.escrow.unreadable` (invalid), `core.escrow.no_identity`
   *   (unavailable)
   */
  redirected(key: {
    readonly enrolmentId: string;
    readonly word: string;
    readonly serialNumber: string;
    /** DER */
    readonly cms: Uint8Array;
  }): Promise<EscrowEntry>;
}
