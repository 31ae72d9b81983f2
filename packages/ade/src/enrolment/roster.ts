// The roster of a school from the device enrolment service: people, classes, courses, locations, and their changes.
import type { Roster, RosterClass, RosterPerson, RosterPlace } from '../education/roster.ts';
import type { JsonObject } from '../http/json.ts';
import {
  type ListPage,
  type ListSource,
  latestBy,
  type PageRequest,
  readList,
  type SyncOptions,
  type SyncState,
} from './pages.ts';

/** What every record of a roster may tell. */
export interface RosterRecord {
  /** `Active`, `Inactive`; of people also `FailedPasswordLocked`, `AtoLocked`. */
  readonly status?: string;
  /** Where it comes from: `SIS`, `CSV`, `SFTP`, `MANUAL`, `SYSTEM` … */
  readonly source?: string;
  /** The school's own identifier; it need not be unique, and can change. */
  readonly sourceSystemId?: string;
  /** When it was changed last, ISO 8601. */
  readonly updated?: string;
}

/** A person as Apple has it. Source: Apple, `RosterPerson`. */
export interface SchoolPerson extends RosterPerson, RosterRecord {
  readonly firstName?: string;
  readonly middleName?: string;
  readonly lastName?: string;
  /** Of students. */
  readonly grade?: string;
  readonly email?: string;
  /** The number that Apple School Manager shows. */
  readonly personNumber?: string;
  readonly sisUsername?: string;
  /** `complex`, `four`, `six`. */
  readonly passcodeType?: string;
  /** Whether another identity provider signs the person in. */
  readonly isFederated?: boolean;
}

/** A class as Apple has it; `name` is what Schoolwork and Classroom show. Source: Apple, `RosterClass`. */
export interface SchoolClass extends RosterClass, RosterRecord {
  readonly number?: string;
  readonly room?: string;
  readonly iconId?: string;
}

/** A course or a location as Apple has it. */
export interface SchoolPlace extends RosterPlace, RosterRecord {
  /** Of courses. */
  readonly number?: string;
}

/**
 * What the client can read of a roster. Apple School Manager only; the server token must be of an account there.
 * Changes do not tell what was deleted: read the whole list (without a state) every few days, and compare.
 * Source: Apple, Device Management, "Roster management".
 */
export interface RosterMethods {
  /** People, page by page: all of them without a state, the changes since with one. */
  rosterPeople(from?: SyncState, options?: SyncOptions): AsyncIterable<ListPage<SchoolPerson>>;
  rosterClasses(from?: SyncState, options?: SyncOptions): AsyncIterable<ListPage<SchoolClass>>;
  rosterCourses(from?: SyncState, options?: SyncOptions): AsyncIterable<ListPage<SchoolPlace>>;
  rosterLocations(from?: SyncState, options?: SyncOptions): AsyncIterable<ListPage<SchoolPlace>>;
  /** The whole roster at once, for `checkRoster` and `compareRosters`. */
  roster(): Promise<Roster>;
}

const texts = <K extends string>(
  object: JsonObject,
  keys: Readonly<Record<K, string>>,
): { readonly [P in K]?: string } => {
  const entries = (Object.entries(keys) as [K, string][]).map(([name, key]) => [name, object.text(key)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as { readonly [P in K]?: string };
};

const common = {
  status: 'status',
  source: 'source',
  sourceSystemId: 'source_system_identifier',
  updated: 'op_date',
} as const;

function readPerson(object: JsonObject): SchoolPerson | undefined {
  const id = object.text('unique_identifier');
  if (id === undefined) return undefined;
  const found = texts(object, {
    ...common,
    firstName: 'first_name',
    middleName: 'middle_name',
    lastName: 'last_name',
    grade: 'grade',
    email: 'email_address',
    personNumber: 'person_id',
    sisUsername: 'sis_username',
    passcodeType: 'passcode_type',
  });
  const parts = [found.firstName, found.middleName, found.lastName].filter((part) => part !== undefined);
  const isFederated = object.boolean('is_federated_auth');
  return {
    ...found,
    id,
    name: object.text('name') ?? parts.join(' '),
    managedAppleId: object.text('managed_apple_id') ?? '',
    ...(isFederated !== undefined && { isFederated }),
  };
}

function readClass(object: JsonObject): SchoolClass | undefined {
  const id = object.text('unique_identifier');
  if (id === undefined) return undefined;
  const courseId = object.object('course')?.text('unique_identifier');
  const locationId = object.object('location')?.text('unique_identifier');
  const unique = (key: string): readonly string[] => [...new Set(object.texts(key))];
  return {
    ...texts(object, { ...common, number: 'class_number', room: 'room', iconId: 'class_icon_identifier' }),
    id,
    name: object.text('class_display_name') ?? object.text('name') ?? '',
    teacherIds: unique('instructor_unique_identifiers'),
    studentIds: unique('student_unique_identifiers'),
    ...(courseId !== undefined && { courseId }),
    ...(locationId !== undefined && { locationId }),
  };
}

function readPlace(object: JsonObject): SchoolPlace | undefined {
  const id = object.text('unique_identifier');
  if (id === undefined) return undefined;
  return { ...texts(object, { ...common, number: 'course_number' }), id, name: object.text('name') ?? '' };
}

function listOf<T extends RosterRecord & { readonly id: string }>(
  fetch: string,
  key: string,
  read: (object: JsonObject) => T | undefined,
): ListSource<T> {
  const latest = (items: readonly T[]): readonly T[] =>
    latestBy(
      items,
      (item) => item.id,
      (item) => item.updated,
    );
  return { fetch, sync: `${fetch}/sync`, key, read, latest };
}

const people = listOf('/roster/class/person', 'persons', readPerson);
const classes = listOf('/roster/class', 'classes', readClass);
const courses = listOf('/roster/class/course', 'courses', readPlace);
const locations = listOf('/roster/class/location', 'locations', readPlace);

/** Makes the methods. */
export function createRosterMethods(request: PageRequest): RosterMethods {
  async function whole<T>(source: ListSource<T>): Promise<readonly T[]> {
    const all: T[] = [];
    for await (const page of readList(source, request, undefined)) {
      // After a cursor that was not taken, the list begins again.
      if (page.restarted !== undefined) all.length = 0;
      for (const item of page.items) all.push(item);
    }
    return all;
  }
  return {
    rosterPeople: (from, options) => readList(people, request, from, options),
    rosterClasses: (from, options) => readList(classes, request, from, options),
    rosterCourses: (from, options) => readList(courses, request, from, options),
    rosterLocations: (from, options) => readList(locations, request, from, options),
    async roster() {
      return {
        people: await whole(people),
        classes: await whole(classes),
        courses: await whole(courses),
        locations: await whole(locations),
      };
    },
  };
}
