// Erasing a device (ACT-11), with the PIN that a Mac asks for afterwards.
import { checkCommand } from '@espalier/apple-mdm';
import type { RecipeParameters } from '../api/recipes.ts';
import { badParameters, type NextStep, type Recipe, type RecipeTools, send, succeed } from './types.ts';

type Erase = RecipeParameters['erase'];

async function returnToService(
  { returnToService: wanted }: Erase,
  tools: RecipeTools,
): Promise<{ readonly ReturnToService?: NextStep['payload'] }> {
  if (wanted === undefined) return {};
  const token = await tools.secret('bootstrap-token');
  const knowsToken =
    tools.target === null ||
    checkCommand(
      'EraseDevice',
      { ReturnToService: { Enabled: true, BootstrapToken: new Uint8Array(1) } },
      { target: tools.target, allowUnknown: true },
    ).length === 0;
  return {
    ReturnToService: {
      Enabled: true,
      ...(wanted.wifiProfile === undefined ? {} : { WiFiProfileData: wanted.wifiProfile }),
      ...(wanted.mdmProfile === undefined ? {} : { MDMProfileData: wanted.mdmProfile }),
      ...(token === null || !knowsToken ? {} : { BootstrapToken: token }),
    },
  };
}

/** Erase the device. */
export const erase: Recipe<Erase> = {
  commands: () => ['EraseDevice'],
  async start(parameters, tools) {
    const { pin, preserveDataPlan, disallowProximitySetup, obliterationBehavior } = parameters;
    const mac = tools.facts['common.platform'] === 'macOS';
    if (pin !== undefined && !(mac && /^[0-9]{6}$/.test(pin))) {
      throw badParameters(mac ? 'a PIN has six digits' : 'only a Mac takes a PIN', '/pin');
    }
    const code = mac ? (pin ?? tools.digits(6)) : undefined;
    // Before the command can reach the Mac: an erased Mac whose PIN nobody knows is a brick.
    if (code !== undefined) await tools.escrow('erase-pin', code);
    return send('EraseDevice', {
      ...(code === undefined ? {} : { PIN: code }),
      ...(preserveDataPlan === undefined ? {} : { PreserveDataPlan: preserveDataPlan }),
      ...(disallowProximitySetup === undefined ? {} : { DisallowProximitySetup: disallowProximitySetup }),
      ...(obliterationBehavior === undefined ? {} : { ObliterationBehavior: obliterationBehavior }),
      ...(await returnToService(parameters, tools)),
    });
  },
  next: () => succeed(),
};
