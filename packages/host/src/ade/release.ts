// Devices that wait in Setup Assistant: what they get there, and when they are let go on (ADE-14, ADE-15, ADE-17).
import type { EnrolmentProfile } from '@espalier/ade';
import type { DeviceDetail, Engine } from '@espalier/core';
import type { AdeSecrets } from './secrets.ts';

const MINUTE = 60_000;
const PAGE = 200;
/** The longest that a profile may say. */
const LONGEST_MINUTES = 10;
const settled = new Set(['applied', 'not-applicable']);

interface Command {
  readonly requestType: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What the job works with. */
export interface ReleaseContext {
  readonly engine: Engine;
  readonly secrets: AdeSecrets;
  /** The profile of a device, with the id that its secrets are kept under. */
  stored(serialNumber: string): Promise<{ readonly id: string; readonly definition: EnrolmentProfile } | null>;
}

/** Looks at everybody who waits; how many were let go on. */
export async function releaseWaiting(context: ReleaseContext): Promise<number> {
  const { engine } = context;
  let released = 0;
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<Engine['devices']['list']>> = await engine.devices.list({
      expression: '"ios.AwaitingConfiguration" = true',
      limit: PAGE,
      ...(after === null ? {} : { after }),
    });
    for (const { enrolment } of page.items) if (await releaseOne(context, enrolment.id)) released++;
    after = page.next;
  } while (after !== null);
  return released;
}

async function releaseOne(context: ReleaseContext, id: string): Promise<boolean> {
  const { engine } = context;
  const device = await engine.devices.get(id);
  const serialNumber = device?.enrolment.serialNumber ?? null;
  if (device === null || device.enrolment.status !== 'active' || serialNumber === null) return false;
  const profile = await context.stored(serialNumber);
  if (profile?.definition.apple.await_device_configured !== true) return false;
  const waiting = { enrolmentId: id, type: 'enrolment.awaiting-configuration', limit: 1 } as const;
  const since = (await engine.events.list(waiting)).items[0]?.at ?? device.enrolment.enrolledAt ?? 0;
  const run = await engine.recipes.get(id, 'release-awaiting');
  // One release for each time that it waits.
  if (run !== null && (run.status === 'running' || run.startedAt >= since)) return false;
  const minutes = profile.definition.awaitMinutes ?? LONGEST_MINUTES;
  if (!isReady(device) && engine.clock.now() - since < minutes * MINUTE) return false;
  const commands = await setupCommands(context, profile, device);
  await engine.recipes.start(id, 'release-awaiting', { commands }, { origin: 'ade' });
  return true;
}

/** It has told what it is, and has all that its labels give. */
function isReady({ inventoryAt, assignments }: DeviceDetail): boolean {
  return inventoryAt !== null && assignments.every(({ status }) => settled.has(status));
}

async function setupCommands(
  { secrets }: ReleaseContext,
  { id, definition }: { readonly id: string; readonly definition: EnrolmentProfile },
  { enrolment }: DeviceDetail,
): Promise<Command[]> {
  const { apple, sharedIpad, macAccounts } = definition;
  const product = enrolment.productName ?? '';
  if (apple.is_multi_user === true && sharedIpad !== undefined && product.startsWith('iPad')) {
    const item = { Item: 'SharedDeviceConfiguration', ...sharedIpad };
    return [{ requestType: 'Settings', payload: { Settings: [item] } }];
  }
  if (macAccounts === undefined || /^(?:iPad|iPhone|iPod|AppleTV|RealityDevice|Watch)/.test(product)) return [];
  const { primary, administrator } = macAccounts;
  const hash = administrator === undefined ? null : await secrets.read('hash', id);
  const payload = {
    SkipPrimarySetupAccountCreation: primary === 'skip',
    SetPrimarySetupAccountAsRegularUser: primary === 'regular',
    ...(administrator === undefined || hash === null
      ? {}
      : {
          AutoSetupAdminAccounts: [
            {
              shortName: administrator.shortName,
              fullName: administrator.fullName,
              hidden: administrator.hidden === true,
              passwordHash: hash,
            },
          ],
        }),
  };
  return [{ requestType: 'AccountConfiguration', payload }];
}
