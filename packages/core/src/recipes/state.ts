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

/** The recipes that find out where a device is. */
export const LOCATING = ['lost-mode-on', 'lost-mode-locate'] as const satisfies readonly RecipeName[];

/** Places from before that are forgotten: an hour or two before the events by which they are found, at the latest. */
export function placesBefore({ clock, options }: Context): number {
  const { locationRetentionDays, eventRetentionMs } = options;
  return clock.now() - Math.min(locationRetentionDays * 86_400_000, Math.max(0, eventRetentionMs - 7_200_000));
}

/** A run without a place that is older than places are kept (ACT-20). */
function withoutOldPlace<R extends Pick<RunRecord, 'result' | 'updatedAt'>>(context: Context, run: R): R {
  const { location, ...result } = run.result;
  return location === undefined || (location.at ?? run.updatedAt) >= placesBefore(context) ? run : { ...run, result };
}

const nameOf = (recipe: RecipeName): string => `recipe.${recipe}`;

/** Reads the last run of a recipe; `raw`: as it is kept, with a place that is too old to be told. */
export async function readRun(
  context: Context,
  enrolmentId: string,
  recipe: RecipeName,
  { raw = false }: { readonly raw?: boolean } = {},
): Promise<RunRecord | null> {
  const { store, vault } = context;
  const name = nameOf(recipe);
  const blob = await store.secrets.get(enrolmentId, name);
  if (blob === null) return null;
  // Written by `writeRun`, sealed and bound to its place: its shape is known.
  const dict = decodeDict(vault.open(blob, { kind: 'secret', key: [enrolmentId, name] }), {
    reals: 'number',
  }) as PlistDict & RunRecord;
  const run = { ...dict, recipe, step: dict.step ?? null, reason: dict.reason ?? null };
  return raw ? run : withoutOldPlace(context, run);
}

/** Writes a run. */
export async function writeRun(context: Context, enrolmentId: string, run: RunRecord): Promise<void> {
  const { store, vault } = context;
  const name = nameOf(run.recipe);
  const { step, reason, ...rest } = withoutOldPlace(context, run);
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
