// What a recipe is made of: pure decisions over what is known, and the effects that the runner has for it.
import type { Issue, Target } from '@espalier/apple-mdm';
import type { PlistDict, PlistInput } from '@espalier/plist';
import type { Facts } from '../api/common.ts';
import type { EscrowKind, RecipeParameters, RecipeResult } from '../api/recipes.ts';
import type { CommandState, Enrolment } from '../api/records.ts';
import type { SoftwareUpdateDeclaration } from '../engine/options.ts';
import { CoreError } from '../errors.ts';

/** The next command. `memo` is kept sealed with the run, for the steps that follow. */
export interface NextStep {
  readonly do: 'command';
  readonly requestType: string;
  readonly payload: { readonly [key: string]: PlistInput };
  readonly memo?: { readonly [key: string]: PlistInput };
  readonly result?: RecipeResult;
}

/** The end of a run. */
export type End =
  | { readonly do: 'succeed'; readonly result?: RecipeResult }
  | { readonly do: 'fail'; readonly reason: string; readonly result?: RecipeResult };

/** What a step leads to. */
export type Decision = NextStep | End;

/** What a recipe may look at and do. */
export interface RecipeTools {
  readonly enrolment: Enrolment;
  readonly facts: Facts;
  readonly now: number;
  /** What the run remembered. */
  readonly memo: PlistDict;
  readonly secret: (name: string) => Promise<Uint8Array | null>;
  readonly escrowed: (kind: EscrowKind) => Promise<string | null>;
  readonly escrow: (kind: EscrowKind, value: string) => Promise<void>;
  /** A password that can be typed: letters and digits that are not taken for one another. */
  readonly password: (length: number) => string;
  /** Decimal digits. */
  readonly digits: (length: number) => string;
  /** The device as the schema's checks take it; `null` where too little is known. */
  readonly target: Target | null;
  /** The certificate (DER) to which devices encrypt recovery keys, and its counterpart; `null` without an escrow identity. */
  readonly recoveryKeys: { readonly certificate: Uint8Array; decrypt(cms: Uint8Array): string } | null;
  /** Hands a software update to declarative management; `null` where there is none. */
  readonly declareUpdate: ((declaration: SoftwareUpdateDeclaration) => Promise<void>) | null;
  /** What speaks against a command on this device. */
  readonly objections: (requestType: string) => readonly Issue[];
}

/** The answer to a step. */
export interface StepOutcome {
  readonly requestType: string;
  readonly state: CommandState;
  /** Apple's error chain as text, for a step that failed. */
  readonly problem: string;
  /** The response; empty when there was none. */
  readonly value: PlistDict;
}

/** One recipe. */
export interface Recipe<P> {
  /** The commands that it may send: the device has to take them all. */
  readonly commands: (parameters: P, tools: RecipeTools) => readonly string[];
  readonly start: (parameters: P, tools: RecipeTools) => Promise<Decision> | Decision;
  /** After an acknowledged step. */
  readonly next: (outcome: StepOutcome, parameters: P, tools: RecipeTools) => Promise<Decision> | Decision;
  /** After a step that was not acknowledged; by default the run fails. */
  readonly failed?: (
    outcome: StepOutcome,
    parameters: P,
    tools: RecipeTools,
  ) => Promise<Decision | null> | Decision | null;
}

/** All recipes. */
export type RecipeBook = { readonly [N in keyof RecipeParameters]: Recipe<RecipeParameters[N]> };

/** A step. */
export function send(
  requestType: string,
  payload: NextStep['payload'] = {},
  more: Pick<NextStep, 'memo' | 'result'> = {},
): NextStep {
  return { do: 'command', requestType, payload, ...more };
}

/** The end that was wanted. */
export function succeed(result?: RecipeResult): End {
  return result === undefined ? { do: 'succeed' } : { do: 'succeed', result };
}

/** Another end. */
export function fail(reason: string, result?: RecipeResult): End {
  return result === undefined ? { do: 'fail', reason } : { do: 'fail', reason, result };
}

/** The error for parameters that make no sense. */
export function badParameters(problem: string, path: string): CoreError {
  return new CoreError('core.recipe.bad_parameters', 'invalid', problem, { at: { path } });
}

/** The error for something that is missing. */
export function unavailable(problem: string, remedy: string): CoreError {
  return new CoreError('core.recipe.unavailable', 'conflict', problem, { remedy });
}
