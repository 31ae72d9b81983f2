// The typed view of a response: the keys of the command's answer, as the generated types have them.
import { MdmError } from '../errors.ts';
import type { CommandResponses } from '../generated/types-responses.ts';
import { schema } from '../schema/catalogue.ts';
import { typedDictionary } from '../typed.ts';
import { compileItem } from '../validate/compile.ts';
import { responseEnvelope } from '../validate/messages.ts';
import { validate } from '../validate/validate.ts';
import type { CommandResponse } from './response.ts';

/**
 * The keys of an acknowledged response, typed by the command that it answers: reals are numbers, the envelope (`Status`,
 * `UDID`, …) is left out, keys that the schema does not know are there untouched. The response is checked first, so the
 * type holds; where a device strays from the schema, `response.value` has what it sent and `readInventory` reads the
 * rest.
 *
 * @throws MdmError `mdm.response.not_acknowledged` for any other status; `mdm.response.missing_key`,
 *   `mdm.response.bad_key` with the path of the first key that is not as the schema has it (an integer beyond 2^53
 *   too); `mdm.command.bad_key` for a command that the schema does not have
 * @example
 * const { QueryResponses } = responseValue('DeviceInformation', readResponse(body));
 * QueryResponses.BatteryLevel; // number | undefined
 */
export function responseValue<T extends keyof CommandResponses & string>(
  requestType: T,
  response: CommandResponse,
): CommandResponses[T] {
  const item = schema.command(requestType);
  if (item === undefined) {
    throw new MdmError('mdm.command.bad_key', `${JSON.stringify(requestType)} is no command of the schema`, {
      remedy: 'read response.value',
    });
  }
  if (response.status !== 'Acknowledged') {
    throw new MdmError('mdm.response.not_acknowledged', `the response to ${requestType} is ${response.status}`, {
      at: { path: '/Status' },
      remedy: 'read the value of acknowledged responses only; errorChain tells what went wrong',
    });
  }
  const wrong = validate('response', response.value, null, { name: requestType }).find(
    (issue) => issue.severity === 'error',
  );
  if (wrong !== undefined) {
    const code = wrong.code === 'key.missing' ? 'mdm.response.missing_key' : 'mdm.response.bad_key';
    throw new MdmError(code, `${wrong.path} ${wrong.message}`, {
      at: { path: wrong.path },
      remedy: 'read response.value, which holds what the device sent',
    });
  }
  const envelope = responseEnvelope().byName;
  const value = typedDictionary(compileItem(item).replies, response.value, 'plist', (name) => envelope.has(name));
  refuseBigIntegers(value, '');
  return value as unknown as CommandResponses[T];
}

/** The types say `number`, which an integer beyond 2^53 is not. */
function refuseBigIntegers(value: unknown, path: string): void {
  if (typeof value === 'bigint') {
    throw new MdmError('mdm.response.bad_key', `${path} is an integer beyond 2^53`, {
      at: { path },
      remedy: 'read response.value, which holds it as a bigint',
    });
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return;
  for (const [name, item] of Object.entries(value)) refuseBigIntegers(item, `${path}/${name}`);
}
