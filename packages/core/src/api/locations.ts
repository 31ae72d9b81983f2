// Where devices are: personal data, which is read on record and forgotten in time.
import type { DeviceLocation } from '@espalier/apple-mdm';

/**
 * Where devices in lost mode were when they were asked (ACT-20). That an answer came is the event `location.received`; the place
 * itself is in no event, and is forgotten after `locationRetentionDays`.
 */
export interface Locations {
  /**
   * The last place that a recipe (`lost-mode-locate`, `lost-mode-on`) found; `null` where none is known, or not any more. The caller
   * checks the role; the reading becomes the event `location.read`.
   */
  read(enrolmentId: string, reader: { readonly actor: string }): Promise<DeviceLocation | null>;
  /**
   * Keeps that somebody was shown a place that came another way: by `recipes.get`, `recipes.list` or `commands.get`
   * (`commandUuid`). The event is `location.read`.
   */
  told(enrolmentId: string, reader: { readonly actor: string; readonly commandUuid?: string }): Promise<void>;
}
