// A school's roster as Apple School Manager has it: people, classes, courses, locations (ABM-1), and its changes (ABM-11).
import { DAY_MS } from '../clock.ts';

/** A person. Apple does not say whether it is a teacher or a student: {@link rosterRoles} finds out. */
export interface RosterPerson {
  readonly id: string;
  readonly name: string;
  /** Empty for people who have none. */
  readonly managedAppleId: string;
}

/** A class. */
export interface RosterClass {
  readonly id: string;
  readonly name: string;
  readonly teacherIds: readonly string[];
  readonly studentIds: readonly string[];
  readonly courseId?: string;
  readonly locationId?: string;
}

/** A course, or a location. */
export interface RosterPlace {
  readonly id: string;
  readonly name: string;
}

/** All of it. */
export interface Roster {
  readonly people: readonly RosterPerson[];
  readonly classes: readonly RosterClass[];
  readonly courses: readonly RosterPlace[];
  readonly locations: readonly RosterPlace[];
}

/** What a person is. */
export type RosterRole = 'teacher' | 'student';

/**
 * The roles of people, by id, from the classes that they teach or attend. Who does both is a teacher; who does neither
 * is not in the map.
 */
export function rosterRoles(classes: readonly RosterClass[]): ReadonlyMap<string, RosterRole> {
  const roles = new Map<string, RosterRole>();
  for (const item of classes) {
    for (const id of item.studentIds) if (!roles.has(id)) roles.set(id, 'student');
    for (const id of item.teacherIds) roles.set(id, 'teacher');
  }
  return roles;
}

/** Something about a roster that will show on devices. */
export interface RosterIssue {
  /** `ade.roster.…` */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** Id of the class or person. */
  readonly id: string;
  readonly message: string;
}

/**
 * Finds what is wrong with a roster: classes that cannot be used, members that are not there, Managed Apple Accounts of
 * two people, people with both roles.
 */
export function checkRoster(roster: Roster): readonly RosterIssue[] {
  const issues: RosterIssue[] = [];
  const known = new Set(roster.people.map((person) => person.id));
  const owners = new Map<string, string>();
  for (const person of roster.people) {
    const account = person.managedAppleId.toLowerCase();
    if (account === '') continue; // not every person has one
    const owner = owners.get(account);
    if (owner !== undefined) {
      const message = `the person has the same Managed Apple Account as ${owner}`;
      issues.push({ code: 'ade.roster.account', severity: 'error', id: person.id, message });
    }
    owners.set(account, person.id);
  }
  const [teaching, learning] = [new Set<string>(), new Set<string>()];
  for (const item of roster.classes) {
    for (const id of item.teacherIds) teaching.add(id);
    for (const id of item.studentIds) learning.add(id);
    for (const [ids, who] of [
      [item.teacherIds, 'teacher'],
      [item.studentIds, 'student'],
    ] as const) {
      if (ids.length === 0) {
        const message = `the class has no ${who} and cannot be used`;
        issues.push({ code: `ade.roster.no_${who}`, severity: 'error', id: item.id, message });
      }
      const missing = ids.filter((id) => !known.has(id)).length;
      if (missing > 0) {
        const message = `${missing} of the class are not in the roster`;
        issues.push({ code: 'ade.roster.member', severity: 'warning', id: item.id, message });
      }
    }
  }
  for (const id of teaching) {
    if (!learning.has(id)) continue;
    const message = 'the person teaches and attends classes, and counts as a teacher';
    issues.push({ code: 'ade.roster.both_roles', severity: 'warning', id, message });
  }
  return issues;
}

/** Ids of what changed. */
export interface RosterChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** What is different between two rosters. */
export interface RosterDifference {
  readonly people: RosterChanges;
  readonly classes: RosterChanges;
  readonly courses: RosterChanges;
  readonly locations: RosterChanges;
  /** People whose role is another one, or has come or gone: their devices are to be looked at again. */
  readonly roles: readonly string[];
}

/** Compares two rosters; the order of members does not matter. */
export function compareRosters(before: Roster, after: Roster): RosterDifference {
  const [was, is] = [rosterRoles(before.classes), rosterRoles(after.classes)];
  const members = (item: RosterClass): unknown => [
    item.name,
    item.courseId,
    item.locationId,
    item.teacherIds.toSorted(),
    item.studentIds.toSorted(),
  ];
  const named = (item: RosterPlace): unknown => item.name;
  return {
    people: compare(before.people, after.people, (person) => [person.name, person.managedAppleId]),
    classes: compare(before.classes, after.classes, members),
    courses: compare(before.courses, after.courses, named),
    locations: compare(before.locations, after.locations, named),
    roles: [...new Set([...was.keys(), ...is.keys()])].filter((id) => was.get(id) !== is.get(id)),
  };
}

function compare<T extends { readonly id: string }>(
  before: readonly T[],
  after: readonly T[],
  content: (item: T) => unknown,
): RosterChanges {
  const old = new Map(before.map((item) => [item.id, JSON.stringify(content(item))]));
  const added: string[] = [];
  const changed: string[] = [];
  for (const item of after) {
    const known = old.get(item.id);
    if (known === undefined) added.push(item.id);
    else if (known !== JSON.stringify(content(item))) changed.push(item.id);
    old.delete(item.id);
  }
  return { added, changed, removed: [...old.keys()] };
}

/**
 * When the roster is synchronised next: a day after the last scheduled time, which a synchronisation by hand does not
 * move. Times that were missed are not made up for.
 *
 * @param lastScheduled Epoch milliseconds.
 */
export function nextRosterSync(lastScheduled: number, now: number): number {
  const days = Math.max(1, Math.ceil((now - lastScheduled) / DAY_MS));
  return lastScheduled + days * DAY_MS;
}
