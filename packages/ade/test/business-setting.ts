// A simulated Apple Business or School Manager API with a client of it.
import { generateKeyPairSync } from 'node:crypto';
import { createSimulatedBusinessApi, type SimulatedBusinessOptions } from '@espalier/simulator';
import { type AdeError, type BusinessClientOptions, createBusinessClient } from '../src/index.ts';
import { movingClock } from './apple.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The key of the API account. */
export const apiKey = {
  privateKey,
  pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
};

/** Makes a service and a client; waiting moves the clock. */
export function businessSetting(
  options: Partial<SimulatedBusinessOptions> = {},
  more: Partial<BusinessClientOptions> = {},
) {
  const clock = movingClock();
  const apple = createSimulatedBusinessApi({ clock, publicKey: apiKey.publicPem, ...options });
  const waits: number[] = [];
  const client = createBusinessClient({
    clientId: apple.clientId,
    keyId: apple.keyId,
    privateKey: apiKey.pem,
    clock,
    fetch: apple.fetch,
    random: () => 0.5,
    async sleep(ms) {
      waits.push(ms);
      clock.move(ms);
    },
    ...(options.manager && { manager: options.manager }),
    ...more,
  });
  return { apple, client, clock, waits };
}

/** The code that a call is refused with, at once or later. */
export async function refusal(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as AdeError).code;
  }
  return 'nothing was thrown';
}
