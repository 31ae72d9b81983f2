// Clearing the passcode before a restart (ACT-27), letting Setup Assistant go on, the Activation Lock bypass code (POL-18).
import type { RecipeParameters } from '../api/recipes.ts';
import {
  type Decision,
  fail,
  type NextStep,
  type Recipe,
  type RecipeTools,
  type StepOutcome,
  send,
  succeed,
  unavailable,
} from './types.ts';

type Restart = RecipeParameters['clear-passcode-restart'];

const power = ({ operation = 'restart' }: Restart): string =>
  operation === 'shutdown' ? 'ShutDownDevice' : 'RestartDevice';

async function clearStep({ secret }: RecipeTools): Promise<NextStep> {
  const token = await secret('unlock-token');
  if (token !== null) return send('ClearPasscode', { UnlockToken: token });
  throw unavailable(
    'the device gave no unlock token',
    'a passcode can only be cleared on a device that sent one when it enrolled',
  );
}

/** Clear the passcode. */
export const clearPasscode: Recipe<RecipeParameters['clear-passcode']> = {
  commands: () => ['ClearPasscode'],
  start: (_parameters, tools) => clearStep(tools),
  next: () => succeed(),
};

/** Clear the passcode, then restart. */
export const clearPasscodeRestart: Recipe<Restart> = {
  commands: (parameters) => ['ClearPasscode', power(parameters)],
  start: (_parameters, tools) => clearStep(tools),
  next: ({ requestType }, parameters) => (requestType === 'ClearPasscode' ? send(power(parameters)) : succeed()),
};

type Release = RecipeParameters['release-awaiting'];

// The user's channel of a Mac takes DeviceConfigured too.
const release = ({ enrolment }: RecipeTools): string =>
  enrolment.kind === 'shared-ipad-user' ? 'UserConfigured' : 'DeviceConfigured';

function releaseStep({ commands = [] }: Release, tools: RecipeTools, done: number): NextStep {
  const command = commands[done];
  if (command === undefined) return send(release(tools));
  return send(command.requestType, command.payload as NextStep['payload'], { memo: { done: done + 1 } });
}

const afterStep = (parameters: Release, tools: RecipeTools): NextStep =>
  releaseStep(parameters, tools, Number(tools.memo['done'] ?? 0));

/** Let Setup Assistant go on. */
export const releaseAwaiting: Recipe<Release> = {
  commands: ({ commands = [] }, tools) => [...commands.map(({ requestType }) => requestType), release(tools)],
  start: (parameters, tools) => releaseStep(parameters, tools, 0),
  next: ({ requestType }, parameters, tools) =>
    requestType === release(tools) ? succeed() : afterStep(parameters, tools),
  // Nobody can use a device that stays in Setup Assistant: one that refuses a command is let go on all the same.
  failed: ({ requestType, state }, parameters, tools) =>
    requestType !== release(tools) && (state === 'error' || state === 'format-error')
      ? afterStep(parameters, tools)
      : null,
};

function bypassCodeIn(value: StepOutcome['value']): string | null {
  const code = value['ActivationLockBypassCode'];
  return typeof code === 'string' && code !== '' ? code : null;
}

/** Fetch the Activation Lock bypass code. */
export const activationLockEscrow: Recipe<RecipeParameters['activation-lock-escrow']> = {
  commands: () => ['ActivationLockBypassCode'],
  start: () => send('ActivationLockBypassCode'),
  async next({ value }, _parameters, { escrow }) {
    const code = bypassCodeIn(value);
    if (code === null) return fail('the device told no bypass code');
    await escrow('activation-lock-bypass', code);
    return succeed();
  },
};

type Clear = RecipeParameters['activation-lock-clear'];

/** Clears where the code is kept, or nobody minds. */
async function clearCode({ withoutEscrow = false }: Clear, { escrowed }: RecipeTools): Promise<Decision> {
  if (withoutEscrow || (await escrowed('activation-lock-bypass')) !== null)
    return send('ClearActivationLockBypassCode');
  return fail('the device told no bypass code, and none is in escrow: cleared, it could not be unlocked by one');
}

/** Have the device forget its Activation Lock bypass code. */
export const activationLockClear: Recipe<Clear> = {
  commands: () => ['ActivationLockBypassCode', 'ClearActivationLockBypassCode'],
  start: () => send('ActivationLockBypassCode'),
  async next({ requestType, value }, parameters, tools) {
    if (requestType === 'ClearActivationLockBypassCode') return succeed();
    const code = bypassCodeIn(value);
    if (code !== null) await tools.escrow('activation-lock-bypass', code);
    return clearCode(parameters, tools);
  },
  // Devices tell the code for some days only; afterwards what is in escrow has to do.
  failed: async ({ requestType, state }, parameters, tools) =>
    requestType === 'ActivationLockBypassCode' && state === 'error' ? await clearCode(parameters, tools) : null,
};
