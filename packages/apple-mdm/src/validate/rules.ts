// Checks the combination rules of one dictionary.
import type { RuleCondition, SchemaRule } from '../schema/model.ts';
import type { Fields } from './compile.ts';
import type { Issues, Place } from './issue.ts';
import { show, showList } from './values.ts';

type Dictionary = Readonly<Record<string, unknown>>;

function holds(name: string, condition: RuleCondition, fields: Fields, value: Dictionary): boolean {
  const present = Object.hasOwn(value, name);
  if (condition === 'present') return present;
  if (condition === 'absent') return !present;
  if (!present) {
    const fallback = fields.byName.get(name)?.key.default;
    return condition.includes(fallback ?? null);
  }
  return condition.includes(value[name] as never);
}

function applies(rule: SchemaRule, fields: Fields, value: Dictionary): boolean {
  for (const [name, condition] of Object.entries(rule.when ?? {})) {
    if (!holds(name, condition, fields, value)) return false;
  }
  return true;
}

function because(rule: SchemaRule): string {
  const reasons = Object.entries(rule.when ?? {}).map(([name, condition]) => {
    if (condition === 'present' || condition === 'absent') return `${name} is ${condition}`;
    return `${name} is ${showList(condition.filter((one) => one !== null))}`;
  });
  return reasons.length === 0 ? '' : ` when ${reasons.join(' and ')}`;
}

/** The keys that are marked required but not needed in this combination. */
export function waivedKeys(fields: Fields, value: Dictionary): readonly string[] {
  const waived: string[] = [];
  for (const rule of fields.rules) {
    if (rule.waive !== undefined && applies(rule, fields, value)) waived.push(...rule.waive);
  }
  return waived;
}

function checkRule(rule: SchemaRule, value: Dictionary, place: Place | null, issues: Issues, can: Can): void {
  const has = (name: string): boolean => Object.hasOwn(value, name);
  const at = (name: string): Place => ({ parent: place, name });
  const why = because(rule);
  for (const name of rule.require ?? []) {
    if (!has(name) && can(name)) issues.add(at(name), 'rule.required', 'error', `is required${why}`, `Add ${name}.`);
  }
  for (const name of rule.forbid ?? []) {
    if (has(name)) issues.add(at(name), 'rule.forbidden', 'error', `must not be there${why}`, `Remove ${name}.`);
  }
  for (const name of rule.ignored ?? []) {
    if (has(name)) issues.add(at(name), 'rule.ignored', 'warning', `has no effect${why}`, `Remove ${name}.`);
  }
  const single = rule.oneOf ?? rule.atMostOne;
  if (single !== undefined) {
    const given = single.filter(has);
    const names = single.join(', ');
    if (given.length > 1) {
      const message = `${given.join(' and ')} exclude each other`;
      issues.add(place, 'rule.one_of', 'error', message, `Keep one of ${names}.`);
    } else if (given.length === 0 && rule.oneOf !== undefined) {
      issues.add(place, 'rule.one_of', 'error', `one of ${names} is required${why}`, `Add one of ${names}.`);
    }
  }
  if (rule.anyOf !== undefined && !rule.anyOf.some(has)) {
    const names = rule.anyOf.join(' or ');
    issues.add(place, 'rule.any_of', 'error', `${names} is required${why}`, `Add ${names}.`);
  }
}

function checkAnyTrue(rule: SchemaRule, fields: Fields, value: Dictionary, place: Place | null, issues: Issues): void {
  if (rule.anyTrue === undefined) return;
  const isTrue = (name: string): boolean =>
    (Object.hasOwn(value, name) ? value[name] : fields.byName.get(name)?.key.default) === true;
  if (rule.anyTrue.some(isTrue)) return;
  const names = rule.anyTrue.join(' or ');
  issues.add(
    place,
    'rule.any_of',
    'error',
    `${names} has to be ${show(true)}${because(rule)}`,
    `Set ${names} to true.`,
  );
}

/** Whether a key surely applies where the value goes, so that its absence can be an error. */
export type Can = (name: string) => boolean;

/** Checks all rules of a dictionary. */
export function checkRules(fields: Fields, value: Dictionary, place: Place | null, issues: Issues, can: Can): void {
  for (const rule of fields.rules) {
    if (!applies(rule, fields, value)) continue;
    checkRule(rule, value, place, issues, can);
    checkAnyTrue(rule, fields, value, place, issues);
  }
}
