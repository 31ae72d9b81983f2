// The passcode: what installed profiles ask of it, and whether it complies.
// Keys: Apple's schema, com.apple.mobiledevice.passwordpolicy.yaml.
import { decodeDict } from '@espalier/plist';
import { isDict } from '../device/profile.ts';
import { type DeviceState, fromBase64 } from '../device/state.ts';

/** What the installed profiles ask of the passcode, the strictest of each. */
export interface PasscodePolicy {
  readonly required: boolean;
  readonly minLength: number;
  readonly minComplexChars: number;
  readonly alphanumeric: boolean;
  readonly allowSimple: boolean;
}

/** Puts the policies of all installed profiles together. */
export function passcodePolicy(state: DeviceState): PasscodePolicy {
  let policy: PasscodePolicy = {
    required: false,
    minLength: 0,
    minComplexChars: 0,
    alphanumeric: false,
    allowSimple: true,
  };
  for (const profile of state.profiles) {
    if (!profile.payloads.some((payload) => payload.type === passcodeType)) continue;
    const { PayloadContent: contents } = decodeDict(fromBase64(profile.plist));
    if (!Array.isArray(contents)) continue;
    for (const content of contents) {
      if (!isDict(content) || content['PayloadType'] !== passcodeType) continue;
      policy = {
        required: policy.required || content['forcePIN'] === true,
        minLength: Math.max(policy.minLength, number(content['minLength'])),
        minComplexChars: Math.max(policy.minComplexChars, number(content['minComplexChars'])),
        alphanumeric: policy.alphanumeric || content['requireAlphanumeric'] === true,
        allowSimple: policy.allowSimple && content['allowSimple'] !== false,
      };
    }
  }
  return policy;
}

const passcodeType = 'com.apple.mobiledevice.passwordpolicy';

/** Whether the passcode, or its absence, is what the policy asks for. */
export function complies(passcode: string | null, policy: PasscodePolicy): boolean {
  if (passcode === null) return !policy.required;
  if (passcode.length < policy.minLength) return false;
  if (passcode.replaceAll(/[A-Za-z0-9]/g, '').length < policy.minComplexChars) return false;
  if (policy.alphanumeric && !(/[A-Za-z]/.test(passcode) && /[0-9]/.test(passcode))) return false;
  return policy.allowSimple || !isSimple(passcode);
}

/** Repeated, rising or falling characters throughout. */
function isSimple(passcode: string): boolean {
  const steps = [...passcode].slice(1).map((char, index) => char.charCodeAt(0) - passcode.charCodeAt(index));
  return steps.length > 0 && steps.every((step) => step === steps[0] && Math.abs(step) <= 1);
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
