// Checks settings as an administrator writes them, before any device is known.
import { type Issue, validate } from '@espalier/apple-mdm';
import { checkDocument, credentialConfigurationType, credentialConfigurationTypes } from './documents/types.ts';
import { validateFileVaultEscrow } from './filevault-escrow.ts';
import { validateIdentity } from './identity.ts';
import { asPayload } from './payload.ts';
import { configurationType, configurationTypes } from './types.ts';

/**
 * Checks the settings of a configuration against Apple's schema: unknown keys, types, ranges, lists, combinations.
 * Empty when nothing is wrong. An unknown key is an error here, since nobody writes one on purpose.
 *
 * @example
 * validateSettings('passcode', { minLength: 40 }); // [{ path: '/minLength', code: 'value.range', … }]
 */
export function validateSettings(type: string, settings: Readonly<Record<string, unknown>>): Issue[] {
  const document = credentialConfigurationType(type);
  if (document !== undefined) return checkDocument(document, settings);
  const found = configurationType(type);
  if (found === undefined) {
    const names = [...configurationTypes, ...credentialConfigurationTypes].map((known) => known.name).join(', ');
    return [
      {
        path: '/',
        code: 'schema.unknown',
        severity: 'error',
        message: `there is no configuration type '${type}'`,
        remedy: `Use one of: ${names}.`,
      },
    ];
  }
  if (found.name === 'identity') return validateIdentity(settings);
  if (found.name === 'filevault-escrow') return validateFileVaultEscrow(settings);
  const reserved = Object.keys(settings).filter((key) => key.startsWith('Payload'));
  if (reserved.length > 0) {
    return reserved.map((key) => ({
      path: `/${key}`,
      code: 'key.unknown',
      severity: 'error',
      message: `${key} is written by the compiler`,
      remedy: 'Leave it out of the settings.',
    }));
  }
  return validate('payload', asPayload(found.payloadType, settings)).map((issue) =>
    issue.code === 'key.unknown' ? { ...issue, severity: 'error' } : issue,
  );
}
