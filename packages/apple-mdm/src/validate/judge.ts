// Judges one thing's availability on a target: what speaks against it, and whether it surely applies.
import type { PlatformSupport, Support } from '../schema/model.ts';
import type { IssueCode, Severity } from './issue.ts';
import { compareVersions, type Target } from './target.ts';

/** One fact that speaks against using the thing on the target. */
export interface Objection {
  readonly code: IssueCode;
  readonly severity: Severity;
  readonly reason: string;
  readonly remedy: string;
}

const say = (code: IssueCode, severity: Severity, reason: string, remedy: string): Objection => ({
  code,
  severity,
  reason,
  remedy,
});

function judgeVersion(facts: PlatformSupport, target: Target, found: Objection[]): void {
  const { platform, osVersion } = target;
  if (osVersion === undefined) return;
  const { introduced, deprecated, removed } = facts;
  if (introduced !== undefined && introduced !== 'all' && compareVersions(osVersion, introduced) < 0) {
    const reason = `is available from ${platform} ${introduced}, not on ${osVersion}`;
    found.push(say('target.introduced', 'error', reason, `Send it only to ${platform} ${introduced} and later.`));
  }
  if (removed !== undefined && compareVersions(osVersion, removed) >= 0) {
    const reason = `was removed in ${platform} ${removed}`;
    found.push(say('target.removed', 'error', reason, `Leave it out for ${platform} ${removed} and later.`));
  } else if (deprecated !== undefined && compareVersions(osVersion, deprecated) >= 0) {
    const reason = `is deprecated since ${platform} ${deprecated}`;
    found.push(say('target.deprecated', 'warning', reason, 'Replace it with what the schema offers instead.'));
  }
}

/** The channels and scopes in force: those of Shared iPad where the target is one. */
function channelAllowed(facts: PlatformSupport, target: Target): boolean | undefined {
  if (target.channel === undefined) return undefined;
  const shared = target.sharedIpad === true ? facts.sharedipad : undefined;
  const flag = target.channel === 'device' ? 'devicechannel' : 'userchannel';
  const scopes = shared?.['allowed-scopes'] ?? facts['allowed-scopes'];
  if (scopes !== undefined) return scopes.includes(target.channel === 'device' ? 'system' : 'user');
  return shared?.[flag] ?? facts[flag];
}

/** The schema's word for how the target is enrolled; undefined when it is not known well enough. */
function enrolmentWords(target: Target): readonly string[] | undefined {
  if (target.enrolment === 'user') return ['user'];
  if (target.enrolment === 'local') return ['local'];
  if (target.supervised === true) return ['supervised'];
  if (target.enrolment === undefined) return undefined;
  return target.supervised === false ? ['device'] : ['device', 'supervised'];
}

function judgeMode(
  code: IssueCode,
  what: string,
  mode: string | undefined,
  inEffect: boolean | undefined,
  found: Objection[],
): void {
  if (mode === undefined || mode === 'allowed' || inEffect === undefined) return;
  if (mode === 'required' && !inEffect) {
    found.push(say(code, 'error', `needs ${what}`, `Send it only where ${what} is in effect.`));
  } else if (mode === 'forbidden' && inEffect) {
    found.push(say(code, 'error', `is not allowed with ${what}`, `Leave it out where ${what} is in effect.`));
  } else if (mode === 'ignored' && inEffect) {
    found.push(say(code, 'warning', `has no effect with ${what}`, `Leave it out where ${what} is in effect.`));
  }
}

function judgeManagement(facts: PlatformSupport, target: Target, found: Objection[]): void {
  if (facts.supervised === true && target.supervised === false) {
    found.push(say('target.supervised', 'error', 'needs a supervised device', 'Send it only to supervised devices.'));
  }
  if (facts.requiresdep === true && target.ade === false) {
    const reason = 'needs a device enrolled with Automated Device Enrolment';
    found.push(say('target.ade', 'error', reason, 'Send it only to devices of Automated Device Enrolment.'));
  }
  if (facts.userapprovedmdm === true && target.userApproved === false) {
    const remedy = 'Ask the user to approve the MDM profile first.';
    found.push(say('target.user_approved', 'error', 'needs user-approved MDM', remedy));
  }
  if (facts.allowmanualinstall === false && target.manual === true) {
    found.push(say('target.manual', 'error', 'cannot be installed by hand', 'Install it with an MDM server.'));
  }
  judgeMode('target.shared_ipad', 'Shared iPad', facts.sharedipad?.mode, target.sharedIpad, found);
  const user = target.enrolment === undefined ? undefined : target.enrolment === 'user';
  judgeMode('target.user_enrolment', 'User Enrolment', facts.userenrollment?.mode, user, found);
  const words = enrolmentWords(target);
  const allowed = facts['allowed-enrollments'];
  if (allowed !== undefined && words !== undefined && !words.some((word) => allowed.includes(word))) {
    const reason = `is not for ${words.join(' or ')} enrolments (only ${allowed.join(', ')})`;
    found.push(say('target.enrolment', 'error', reason, `Send it only to these enrolments: ${allowed.join(', ')}.`));
  }
  if (channelAllowed(facts, target) === false) {
    const other = target.channel === 'device' ? 'user' : 'device';
    const reason = `is not for the ${target.channel} channel`;
    found.push(say('target.channel', 'error', reason, `Send it over the ${other} channel.`));
  }
}

/**
 * Everything that speaks against using a thing with this (effective) availability on the target; empty when nothing does.
 *
 * @example
 * objectionsTo(schema.command('ScheduleOSUpdate')?.supportedOS, { platform: 'iOS', osVersion: '27.0' });
 */
export function objectionsTo(support: Support | undefined, target: Target): Objection[] {
  const facts = support?.[target.platform];
  if (facts === undefined) return [];
  if (facts.introduced === 'n/a') {
    const on = Object.entries(support ?? {}).flatMap(([name, other]) => (other.introduced === 'n/a' ? [] : [name]));
    const remedy = on.length === 0 ? 'Leave it out.' : `Send it only to ${on.join(', ')}.`;
    return [say('target.platform', 'error', `is not available on ${target.platform}`, remedy)];
  }
  const found: Objection[] = [];
  judgeVersion(facts, target, found);
  judgeManagement(facts, target, found);
  return found;
}

/**
 * Whether a key surely applies on the target, so that its absence can be an error. A restriction that depends on an
 * unspecified fact of the target means no.
 */
export function surelyApplies(support: Support | undefined, parent: Support | undefined, target: Target): boolean {
  const facts = support?.[target.platform];
  if (facts === undefined) return true;
  if (objectionsTo(support, target).some((objection) => objection.severity === 'error')) return false;
  const above = parent?.[target.platform];
  const restricted = (mode: string | undefined): boolean => mode === 'required' || mode === 'forbidden';
  const [user, shared] = [facts.userenrollment?.mode, facts.sharedipad?.mode];
  if (target.enrolment === undefined && restricted(user) && user !== above?.userenrollment?.mode) return false;
  if (target.sharedIpad === undefined && restricted(shared) && shared !== above?.sharedipad?.mode) return false;
  if (target.channel === undefined) {
    if (facts.devicechannel === false && above?.devicechannel !== false) return false;
    if (facts.userchannel === false && above?.userchannel !== false) return false;
  }
  if (target.osVersion === undefined && facts.removed !== undefined && above?.removed === undefined) return false;
  return true;
}
