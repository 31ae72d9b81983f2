// The device as one of its users' MDM channels sees it: profiles, declarations, tokens of its own; all else is the device's.
import type { DeviceState, UserChannelState } from './state.ts';

const own = ['profiles', 'declarative', 'pushToken', 'pushMagic', 'awaitingConfiguration'] as const;

const isOwn = (key: PropertyKey): key is (typeof own)[number] => (own as readonly PropertyKey[]).includes(key);

/** What is read and written through it goes to the channel's state where the channel has that of its own. */
export function userView(device: DeviceState, user: UserChannelState): DeviceState {
  return new Proxy(device, {
    get: (_, key) => (key === 'user' ? user : Reflect.get(isOwn(key) ? user : device, key)),
    set: (_, key, value) => Reflect.set(isOwn(key) ? user : device, key, value),
    deleteProperty: (_, key) => Reflect.deleteProperty(isOwn(key) ? user : device, key),
  });
}
