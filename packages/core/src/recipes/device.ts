// Clearing the passcode before a restart (ACT-27), letting Setup Assistant go on, the Activation Lock bypass code (POL-18).
import type { RecipeParameters } from '../api/recipes.ts';
import { fail, type NextStep, type Recipe, type RecipeTools, send, succeed, unavailable } from './types.ts';

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

/** Let Setup Assistant go on. */
export const releaseAwaiting: Recipe<Release> = {
  commands: ({ commands = [] }, tools) => [...commands.map(({ requestType }) => requestType), release(tools)],
  start: (parameters, tools) => releaseStep(parameters, tools, 0),
  next: ({ requestType }, parameters, tools) =>
    requestType === release(tools) ? succeed() : releaseStep(parameters, tools, Number(tools.memo['done'] ?? 0)),
};

/** Fetch the Activation Lock bypass code. */
export const activationLockEscrow: Recipe<RecipeParameters['activation-lock-escrow']> = {
  commands: () => ['ActivationLockBypassCode'],
  start: () => send('ActivationLockBypassCode'),
  async next({ value }, _parameters, { escrow }) {
    const code = value['ActivationLockBypassCode'];
    if (typeof code !== 'string' || code === '') return fail('the device told no bypass code');
    await escrow('activation-lock-bypass', code);
    return succeed();
  },
};
