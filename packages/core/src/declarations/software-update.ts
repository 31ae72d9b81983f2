// Gives a device a software-update declaration, for the engine's recipe.
import { createHash } from 'node:crypto';
import { canonicalJson } from '@espalier/apple-mdm';
import type { Declarations } from '../api/declarations.ts';
import type { SoftwareUpdateDeclaration } from '../engine/options.ts';

const PREFIX = 'softwareupdate.';

/**
 * Assigns an update to a device through declarative management: one declaration and one set for all devices with the same
 * version and deadline; an update that the device was to have before is taken away. For `EngineInput.declareSoftwareUpdate`.
 *
 * @throws CoreError `core.declaration.invalid` when the payload is not as the schema has it
 * @example
 * const engine: Engine = createEngine({
 *   store,
 *   keys,
 *   declareSoftwareUpdate: (update) => declareSoftwareUpdate(engine.declarations, update),
 * });
 */
export async function declareSoftwareUpdate(
  declarations: Declarations,
  { enrolmentId, type, payload }: SoftwareUpdateDeclaration,
): Promise<void> {
  const hash = createHash('sha256').update(canonicalJson(payload)).digest('hex').slice(0, 32);
  const identifier = PREFIX + hash;
  await declarations.put({ identifier, type, payload });
  const sets = await declarations.listSets();
  const ours = sets.filter((set) => set.identifiers.length === 1 && set.identifiers[0]?.startsWith(PREFIX));
  const name = `Software update ${payload['TargetOSVersion'] ?? ''} (${hash.slice(0, 8)})`;
  const found = ours.find((set) => set.identifiers[0] === identifier);
  const set = found ?? (await declarations.createSet({ name, identifiers: [identifier] }));
  await declarations.setMembers(set.id, { add: [enrolmentId] });
  for (const other of ours) {
    if (other.id !== set.id) await declarations.setMembers(other.id, { remove: [enrolmentId] });
  }
}
