// Values of custom attributes as people write them into tables.

/** Data type of a custom attribute. */
export type AttributeType = 'string' | 'boolean' | 'integer' | 'number' | 'date';

/** A value; dates stay text, `YYYY-MM-DD` or with a time. */
export type AttributeValue = string | boolean | number;

const dateForm = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** The value that a text stands for; undefined when it is not of the type. */
export function readValue(text: string, type: AttributeType): AttributeValue | undefined {
  switch (type) {
    case 'string':
      return text;
    case 'boolean':
      return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined;
    case 'integer': {
      const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      return Number.isSafeInteger(value) ? value : undefined;
    }
    case 'number': {
      const value = /^[+-]?\d{1,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?$/i.test(text) ? Number(text) : Number.NaN;
      return Number.isFinite(value) ? value : undefined;
    }
    case 'date':
      return isDate(text) ? text : undefined;
  }
}

/** A date of the calendar: 30 February is none, though `Date.parse` may take it. */
function isDate(text: string): boolean {
  if (!dateForm.test(text) || Number.isNaN(Date.parse(text))) return false;
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text.slice(0, 10);
}
