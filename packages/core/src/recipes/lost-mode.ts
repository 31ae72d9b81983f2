// Lost mode (ACT-19, ACT-20): on, with sound and place; where; off.
import { readLocation } from '@espalier/apple-mdm';
import type { RecipeParameters } from '../api/recipes.ts';
import {
  badParameters,
  type Decision,
  fail,
  type Recipe,
  type StepOutcome,
  send,
  succeed,
  unavailable,
} from './types.ts';

type On = RecipeParameters['lost-mode-on'];

const located = ({ value }: StepOutcome): Decision => {
  const location = readLocation(value);
  return location === null ? fail('the device told no place') : succeed({ location });
};

/** After lost mode is on, or the sound was asked for: what is left to do. */
function rest(parameters: On, done: 'EnableLostMode' | 'PlayLostModeSound'): Decision {
  if (done === 'EnableLostMode' && parameters.sound === true) return send('PlayLostModeSound');
  return parameters.locate === true ? send('DeviceLocation') : succeed();
}

/** Lost mode on. */
export const lostModeOn: Recipe<On> = {
  commands: ({ sound, locate }) => [
    'EnableLostMode',
    ...(sound === true ? ['PlayLostModeSound'] : []),
    ...(locate === true ? ['DeviceLocation'] : []),
  ],
  start({ message, phoneNumber, footnote }) {
    if (!message && !phoneNumber) throw badParameters('lost mode needs a message or a phone number', '/message');
    return send('EnableLostMode', {
      ...(message ? { Message: message } : {}),
      ...(phoneNumber ? { PhoneNumber: phoneNumber } : {}),
      ...(footnote ? { Footnote: footnote } : {}),
    });
  },
  next(outcome, parameters) {
    if (outcome.requestType === 'DeviceLocation') return located(outcome);
    return rest(parameters, outcome.requestType === 'EnableLostMode' ? 'EnableLostMode' : 'PlayLostModeSound');
  },
  // The sound is an extra: the device is locked all the same.
  failed: (outcome, parameters) =>
    outcome.requestType === 'PlayLostModeSound' && outcome.state !== 'cancelled'
      ? rest(parameters, 'PlayLostModeSound')
      : null,
};

/** Where is it? */
export const lostModeLocate: Recipe<RecipeParameters['lost-mode-locate']> = {
  commands: () => ['DeviceLocation'],
  start(_parameters, { facts }) {
    // Apple tells the place of devices in lost mode only; of one that is not known to be in it the device decides.
    if (facts['ios.IsMDMLostModeEnabled'] === false) {
      throw unavailable('the device is not in lost mode', 'turn lost mode on first: lost-mode-on');
    }
    return send('DeviceLocation');
  },
  next: located,
};

/** Lost mode off. */
export const lostModeOff: Recipe<RecipeParameters['lost-mode-off']> = {
  commands: () => ['DisableLostMode'],
  start: () => send('DisableLostMode'),
  next: () => succeed(),
};
