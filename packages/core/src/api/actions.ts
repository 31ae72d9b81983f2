// Device actions (ACT-1): one way to run an action on one or many devices, with a result for each.
import type { RecipeParameters } from './recipes.ts';
import type { Enrolment } from './records.ts';

/** What each action takes. */
export interface ActionParameters {
  /** Locks (ACT-9). A Mac gets a PIN, made unless it is given, and kept. */
  readonly lock: {
    /** At most 500 characters; shown where a passcode is set. */
    readonly message?: string;
    readonly phoneNumber?: string;
    /** Six digits; Macs only. */
    readonly pin?: string;
  };
  /** Removes the passcode (ACT-10); not on Macs, not under User Enrolment. */
  readonly unlock: Record<never, never>;
  /** Asks for the state of encryption and passcode (ACT-10). */
  readonly 'encryption-status': Record<never, never>;
  /** Erases (ACT-11): the device waits to be wiped until it acknowledges. */
  readonly wipe: RecipeParameters['erase'];
  /** Withdraws an erase that the device has not fetched, or lets a wiped device that was restored come back (ACT-12). */
  readonly 'cancel-wipe': Record<never, never>;
  /** Has the device remove its enrolment with everything that it brought; retired when the device confirms (ACT-4). */
  readonly retire: Record<never, never>;
  /** Retired at once, without the device; when it comes, it is told to remove its enrolment (ACT-4). */
  readonly 'force-retire': Record<never, never>;
  /** A flag and no more (ACT-15); Apple's lost mode is `lost-mode-on`. */
  readonly lost: Record<never, never>;
  readonly found: Record<never, never>;
  /** Queues the inventory and wakes the device (ACT-17). */
  readonly 'check-in': Record<never, never>;
  /** Apple's lost mode (ACT-19), the sound, and the place (ACT-20). */
  readonly 'lost-mode-on': RecipeParameters['lost-mode-on'];
  readonly 'lost-mode-off': Record<never, never>;
  readonly 'lost-mode-sound': Record<never, never>;
  readonly locate: Record<never, never>;
  /** Once, and no restriction: users may turn it back (ACT-22). */
  readonly hotspot: { readonly enabled: boolean };
  /** Once, and no restriction (ACT-28). */
  readonly bluetooth: { readonly enabled: boolean };
  /** An IANA name such as `Europe/Berlin` (ACT-29). */
  readonly 'time-zone': { readonly timeZone: string };
  /** PNG or JPEG, at most 10 MB together; `image` for both screens (ACT-24). */
  readonly wallpaper: { readonly image?: Uint8Array; readonly home?: Uint8Array; readonly lock?: Uint8Array };
  /** Installs apps of Apple's that the user deleted, by bundle identifier (ACT-23): `com.apple.…`. */
  readonly 'system-apps': { readonly bundleIds: readonly string[] };
  /** `clearPasscode` (default false): without it a device with a passcode stays off its Wi-Fi until somebody unlocks it (ACT-27). */
  readonly restart: { readonly clearPasscode?: boolean; readonly notifyUser?: boolean };
  /** A person has to turn it on again (ACT-27). */
  readonly 'shut-down': { readonly clearPasscode?: boolean };
  /** One device at a time (ACT-26). */
  readonly 'os-update': RecipeParameters['software-update'];
  /** Users of Shared iPads and Macs (ABM-17). */
  readonly 'list-users': RecipeParameters['user-list'];
  readonly 'log-out-user': RecipeParameters['log-out-user'];
  readonly 'delete-users': RecipeParameters['delete-users'];
}

/** The name of an action. */
export type ActionName = keyof ActionParameters;

/** What there is to know of an action before it is run. */
export interface ActionDescription {
  readonly action: ActionName;
  /** What it may be asked of at once: many devices, or one. */
  readonly bulk: boolean;
  /** It takes something away that does not come back by itself: ask before. */
  readonly destructive: boolean;
  /** Whether the user is told unless the caller says otherwise: `always` (ACT-9), `on`, `off`. */
  readonly notifies: 'always' | 'on' | 'off';
  /** The statuses of devices that it is for, as searches call them (`Active`, `Wipe Pending` …). */
  readonly statuses: readonly string[];
}

/** How an action is asked for. */
export interface ActionOptions {
  /** Why; for the audit log, at most 1,000 characters. */
  readonly note?: string;
  /** Who: `admin` (default), `user:…`, `scheduler`, `compliance`; at most 200 characters. */
  readonly actor?: string;
  /** Whether the user shall be told; whoever sends messages finds it in the event `action.done`. */
  readonly notifyUser?: boolean;
  /** Do it also where a rule of this server, or what is known of the device, speaks against it. */
  readonly force?: boolean;
}

/** What became of an action on one device. */
export interface ActionResult {
  readonly enrolmentId: string;
  /** `queued`: the device is asked. `done`: nothing is left to do. `refused`: nothing happened, see `code`. */
  readonly outcome: 'queued' | 'done' | 'refused';
  readonly commandUuids: readonly string[];
  /** Why it was refused. */
  readonly code?: string;
  readonly message?: string;
  readonly remedy?: string;
  /** What the administrator should know. */
  readonly warnings: readonly string[];
}

/** What an authorisation hook is asked. */
export interface ActionRequest {
  readonly action: ActionName;
  readonly enrolment: Enrolment;
  readonly options: ActionOptions;
}

/** The devices of an action. */
export type ActionTarget =
  | { readonly enrolmentIds: readonly string[] }
  | { readonly labelId: string }
  | { readonly search: string };

/** Device actions. */
export interface Actions {
  /** All actions. */
  readonly list: readonly ActionDescription[];
  /**
   * Runs an action. Each device is looked at for itself: its status, Apple's schema, the rules of the action, the
   * product's hook. What happened to each is in the answer and, as `action.done` or `action.refused`, in its events.
   * @throws CoreError `core.action.unknown` (not-found); `core.action.bad_parameters`, `core.action.note_required`,
   *   `core.action.bad_option` (invalid); `core.action.too_many` (too-large) beyond `actionLimit`, or for more than one device where
   *   the action is for one; `core.label.unknown`
   */
  run<N extends ActionName>(
    target: ActionTarget,
    action: N,
    parameters: ActionParameters[N],
    options?: ActionOptions,
  ): Promise<readonly ActionResult[]>;
  /**
   * The actions that a device may be asked for now, with what speaks against the others.
   * @throws CoreError `core.enrolment.unknown` (not-found)
   */
  available(
    enrolmentId: string,
  ): Promise<readonly { readonly action: ActionName; readonly allowed: boolean; readonly reason: string | null }[]>;
}
