// How a run is kept: one sealed record for each recipe of each enrolment.
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import type { RecipeName, RecipeResult, RecipeRun, RecipeStatus } from '../api/recipes.ts';
import type { Context } from '../engine/context.ts';

/** The command that a run waits for. It is kept whole, so that a crash before it was queued can be mended. */
export interface PendingStep {
  readonly number: number;
  readonly requestType: string;
  readonly commandUuid: string;
  readonly payload: { readonly [key: string]: PlistInput };
}

/** A run, with what only the engine sees. */
export interface RunRecord {
  readonly recipe: RecipeName;
  readonly runId: string;
  readonly status: RecipeStatus;
  readonly step: PendingStep | null;
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly reason: string | null;
  readonly result: RecipeResult;
  readonly parameters: PlistDict;
  readonly memo: PlistDict;
  readonly origin: string;
}

const nameOf = (recipe: RecipeName): string => `recipe.${recipe}`;

/** Reads the last run of a recipe. */
export async function readRun(
  { store, vault }: Context,
  enrolmentId: string,
  recipe: RecipeName,
): Promise<RunRecord | null> {
  const name = nameOf(recipe);
  const blob = await store.secrets.get(enrolmentId, name);
  if (blob === null) return null;
  // Written by `writeRun`, sealed and bound to its place: its shape is known.
  const dict = decodeDict(vault.open(blob, { kind: 'secret', key: [enrolmentId, name] }), {
    reals: 'number',
  }) as PlistDict & RunRecord;
  return { ...dict, recipe, step: dict.step ?? null, reason: dict.reason ?? null };
}

/** Writes a run. */
export async function writeRun({ store, vault }: Context, enrolmentId: string, run: RunRecord): Promise<void> {
  const name = nameOf(run.recipe);
  const { step, reason, ...rest } = run;
  const value = {
    ...rest,
    ...(step === null ? {} : { step }),
    ...(reason === null ? {} : { reason }),
  } as unknown as PlistDict;
  const blob = vault.seal(encodeXml(value), { kind: 'secret', key: [enrolmentId, name] });
  await store.secrets.put({ scope: enrolmentId, name, blob, at: run.updatedAt });
}

/** A run as callers see it: without parameters, payloads and memo, which may hold secrets. */
export function publicRun(enrolmentId: string, run: RunRecord): RecipeRun {
  const { recipe, runId, status, startedAt, updatedAt, reason, result, step } = run;
  return {
    recipe,
    runId,
    enrolmentId,
    status,
    step: step === null ? null : { number: step.number, requestType: step.requestType, commandUuid: step.commandUuid },
    startedAt,
    updatedAt,
    reason,
    result,
  };
}
