// Every reason that Apple's schema lists for rejecting an app or a book is explained.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rejectionReasons } from '../src/index.ts';

it('explains all values of RejectionReason in the schema, and no others', () => {
  const facts = readFileSync(join(import.meta.dirname, '../src/generated/facts-command.ts'), 'utf8');
  const lists = [...facts.matchAll(/"RejectionReason","s\?",\{"l":\[([^\]]+)\]/g)].map(
    ([, list]) => JSON.parse(`[${list}]`) as string[],
  );
  expect(lists.length).toBe(2);
  expect(Object.keys(rejectionReasons).sort()).toEqual([...new Set(lists.flat())].sort());
});
