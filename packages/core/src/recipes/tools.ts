// What the recipes work with, of the engine.
import { checkCommand } from '@espalier/apple-mdm';
import { decryptRecoveryKey } from '@espalier/pki';
import type { PlistDict } from '@espalier/plist';
import { targetOf } from '../engine/capabilities.ts';
import { type Context, randomDigits } from '../engine/context.ts';
import { openSecret } from '../engine/sender.ts';
import { CoreError } from '../errors.ts';
import { escrow, escrowed } from './escrow.ts';
import type { RecipeTools } from './types.ts';

/** Letters and digits that people do not take for one another. 32 of them: a byte's five low bits pick one evenly. */
const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** The tools of one enrolment. */
export async function toolsFor(context: Context, enrolmentId: string, memo: PlistDict): Promise<RecipeTools> {
  const { store, clock, random, escrowIdentity, declareSoftwareUpdate } = context;
  const [row] = await store.inventory.rows([enrolmentId]);
  if (row === undefined) throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
  const { enrolment } = row;
  const [parent] = enrolment.parent === null ? [] : await store.inventory.rows([enrolment.parent]);
  const facts = { ...parent?.facts, ...row.facts };
  const target = targetOf(enrolment, facts);
  return {
    enrolment,
    facts,
    now: clock.now(),
    memo,
    secret: (name) => openSecret(context, enrolmentId, name),
    escrowed: (kind) => escrowed(context, enrolmentId, kind),
    async escrow(kind, value) {
      await escrow(context, enrolmentId, kind, value);
    },
    password: (length) => Array.from(random(length), (byte) => letters[byte & 31]).join(''),
    digits: (length) => randomDigits(random, length),
    target,
    recoveryKeys:
      escrowIdentity === undefined
        ? null
        : { certificate: escrowIdentity.certificate, decrypt: (cms) => decryptRecoveryKey(cms, escrowIdentity) },
    declareUpdate: declareSoftwareUpdate ?? null,
    objections: (requestType) =>
      checkCommand(requestType, {}, { target, allowUnknown: true }).filter(
        ({ path, code }) => path === '/' && code.startsWith('target.'),
      ),
  };
}
