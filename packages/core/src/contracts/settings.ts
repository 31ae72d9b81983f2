// Contract: settings (small named values) and named leases for work that one process at a time does.

/** Named values and leases. */
export interface SettingStore {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
  /** Sets a value where there is none; returns the value that is there afterwards. Atomic. */
  setIfAbsent(name: string, value: string): Promise<string>;
  /** Puts `value` in the place of `expected` (`null`: there is none yet); false when something else is there. Atomic. */
  replace(name: string, expected: string | null, value: string): Promise<boolean>;
  /** Takes or prolongs a lease: true when `owner` holds it until `until`. False while another owner's lease lasts past `at`. */
  lease(input: {
    readonly name: string;
    readonly owner: string;
    readonly at: number;
    readonly until: number;
  }): Promise<boolean>;
}
