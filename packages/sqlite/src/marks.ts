// Reconcile marks: which devices are to be looked at, with a number that tells one mark from the next.
import type { Database } from './database.ts';

/** Marks the enrolments in `temp.targets`, inside a write. */
export function markReconcile(db: Database, at: number): void {
  const mark = db.get<{ value: number }>(
    `INSERT INTO counters (name, value) VALUES ('reconcile-mark', 1)
     ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
  );
  db.run(
    `INSERT INTO reconcile_marks (enrolment, mark, due_at) SELECT nr, ?, ? FROM temp.targets WHERE TRUE
     ON CONFLICT (enrolment) DO UPDATE SET mark = excluded.mark, due_at = min(due_at, excluded.due_at)`,
    mark?.value ?? 0,
    at,
  );
}

/** Marks the enrolments in `temp.targets` and their user channels for a new look at their declarations, inside a write. */
export function markDeclarations(db: Database, at: number): void {
  const mark = db.get<{ value: number }>(
    `INSERT INTO counters (name, value) VALUES ('declaration-mark', 1)
     ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
  );
  db.run(
    `INSERT INTO declaration_marks (enrolment, mark, due_at)
     SELECT nr, ?1, ?2 FROM temp.targets
     UNION SELECT e.nr, ?1, ?2 FROM temp.targets t CROSS JOIN enrolments e ON e.parent = t.nr AND e.parent IS NOT NULL
     WHERE TRUE
     ON CONFLICT (enrolment) DO UPDATE SET mark = excluded.mark, due_at = min(due_at, excluded.due_at)`,
    mark?.value ?? 0,
    at,
  );
}
