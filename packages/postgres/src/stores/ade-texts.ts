// The statements of automated device enrolment.

/** The statements, for a schema (already quoted). */
export function adeTexts(s: string) {
  const account = `id, name, details, token_expires_at AS "tokenExpiresAt", default_profile AS "defaultProfileUuid", rules,
    version, created_at AS "createdAt", updated_at AS "updatedAt"`;
  const sync = `phase, cursor, generation, unswept, pages, progressed_at AS "progressedAt", finished_at AS "finishedAt",
    failure, fence, leased_until AS "leasedUntil"`;
  const device = `d.account AS "accountId", d.serial AS "serialNumber", d.record, d.profile_uuid AS "profileUuid",
    d.profile_status AS "profileStatus", d.wanted AS "wantedProfileUuid", d.assign_at AS "assignAt",
    d.attempts AS "assignAttempts", d.outcome AS "assignOutcome", d.added_at AS "addedAt", d.updated_at AS "updatedAt",
    d.gone_at AS "goneAt",
    (SELECT e.id FROM ${s}.enrolment e JOIN ${s}.live l ON l.id = e.id
      WHERE e.serial_number COLLATE "C" = d.serial AND l.channel = 'device' AND l.status IN ('pending', 'active')
      ORDER BY coalesce(l.last_seen_at, 0) DESC, e.id LIMIT 1) AS "enrolmentId"`;
  // A page as arrays: $1 serial numbers, $2 times of change, $3 deleted. An earlier time than is known counts as nothing.
  const page = `unnest($1::text[], $2::bigint[], $3::boolean[]`;
  const newer = '(p.changed_at < d.changed_at) IS NOT TRUE';
  return {
    account,
    version: `SELECT version FROM ${s}.ade_account WHERE id = $1 FOR UPDATE`,
    add: `INSERT INTO ${s}.ade_account
        (id, name, details, token_expires_at, default_profile, rules, version, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING RETURNING 1`,
    change: `UPDATE ${s}.ade_account SET name = $2, details = $3, token_expires_at = $4, default_profile = $5, rules = $6,
        version = $7, created_at = $8, updated_at = $9
      WHERE id = $1 RETURNING 1`,
    addSync: `INSERT INTO ${s}.ade_sync (account) VALUES ($1) ON CONFLICT (account) DO NOTHING`,
    secret: `INSERT INTO ${s}.secret (scope, name, blob) VALUES ($1, $2, $3)
      ON CONFLICT (scope, name) DO UPDATE SET blob = excluded.blob`,
    // The sync first: whoever commits a page of this account waits, and then finds the lease gone.
    deleteSync: `DELETE FROM ${s}.ade_sync WHERE account = $1`,
    deleteAccount: `DELETE FROM ${s}.ade_account WHERE id = $1 RETURNING 1`,
    deleteDevices: `DELETE FROM ${s}.ade_device WHERE account = $1`,
    deleteSecrets: `DELETE FROM ${s}.secret WHERE scope = $1`,
    get: `SELECT ${account} FROM ${s}.ade_account WHERE id = $1`,
    list: `SELECT ${account} FROM ${s}.ade_account ORDER BY id`,
    sync: `SELECT ${sync} FROM ${s}.ade_sync WHERE account = $1`,
    held: `SELECT ${sync} FROM ${s}.ade_sync WHERE account = $1 AND fence = $2 FOR UPDATE`,
    acquire: `UPDATE ${s}.ade_sync SET fence = fence + 1, leased_until = $2
      WHERE account = $1 AND leased_until <= $3 RETURNING ${sync}`,
    prolong: `UPDATE ${s}.ade_sync SET leased_until = $3 WHERE account = $1 AND fence = $2 RETURNING 1`,
    release: `UPDATE ${s}.ade_sync
      SET leased_until = 0, failure = $3, finished_at = CASE WHEN $4 THEN $5::bigint ELSE finished_at END
      WHERE account = $1 AND fence = $2`,
    advance: `UPDATE ${s}.ade_sync SET phase = $3, cursor = $4, generation = generation + $5::boolean::integer,
        pages = pages + 1, unswept = $6 OR (unswept AND NOT $5::boolean), progressed_at = $7, leased_until = $8
      WHERE account = $1 AND fence = $2 RETURNING generation`,
    count: `SELECT
        count(*) FILTER (WHERE NOT p.deleted AND (d.serial IS NULL OR d.gone_at IS NOT NULL)) AS added,
        count(*) FILTER (WHERE NOT p.deleted AND d.gone_at IS NULL AND d.record <> p.record::jsonb) AS modified,
        count(*) FILTER (WHERE p.deleted AND d.serial IS NOT NULL AND d.gone_at IS NULL) AS deleted
      FROM ${page}, $4::text[]) AS p (serial, changed_at, deleted, record)
      LEFT JOIN ${s}.ade_device d ON d.account = $5 AND d.serial = p.serial
      WHERE ${newer}`,
    upsert: `INSERT INTO ${s}.ade_device AS d (account, serial, record, profile_uuid, profile_status, wanted, assign_at,
        generation, changed_at, added_at, updated_at)
      SELECT $8, p.serial, p.record::jsonb, p.profile, p.status, p.wanted,
        CASE WHEN p.wanted <> p.profile OR (p.wanted IS NOT NULL AND p.profile IS NULL) THEN $9::bigint END,
        $10, p.changed_at, $9, $9
      FROM ${page}, $4::text[], $5::text[], $6::text[], $7::text[])
        AS p (serial, changed_at, deleted, record, profile, status, wanted)
      WHERE NOT p.deleted ORDER BY p.serial COLLATE "C"
      ON CONFLICT (account, serial) DO UPDATE SET
        record = excluded.record, profile_uuid = excluded.profile_uuid, profile_status = excluded.profile_status,
        generation = excluded.generation, changed_at = excluded.changed_at, gone_at = NULL,
        wanted = CASE WHEN d.gone_at IS NULL THEN d.wanted ELSE excluded.wanted END,
        assign_at = CASE WHEN d.gone_at IS NOT NULL THEN excluded.assign_at
          WHEN d.wanted = excluded.profile_uuid THEN NULL ELSE d.assign_at END,
        attempts = CASE WHEN d.gone_at IS NULL THEN d.attempts ELSE 0 END,
        outcome = CASE WHEN d.gone_at IS NULL THEN d.outcome END,
        added_at = CASE WHEN d.gone_at IS NULL THEN d.added_at ELSE excluded.added_at END,
        updated_at = CASE WHEN d.gone_at IS NULL AND d.record = excluded.record THEN d.updated_at
          ELSE excluded.updated_at END
      WHERE (excluded.changed_at < d.changed_at) IS NOT TRUE`,
    delete: `UPDATE ${s}.ade_device d SET gone_at = $5, updated_at = $5, assign_at = NULL, changed_at = p.changed_at
      FROM ${page}) AS p (serial, changed_at, deleted)
      WHERE p.deleted AND d.account = $4 AND d.serial = p.serial AND d.gone_at IS NULL AND ${newer}`,
    sweep: `UPDATE ${s}.ade_device SET gone_at = $3, updated_at = $3, assign_at = NULL
      WHERE account = $1 AND serial IN (
        SELECT serial FROM ${s}.ade_device WHERE account = $1 AND gone_at IS NULL AND generation < $2 LIMIT $4
      ) RETURNING serial`,
    swept: `UPDATE ${s}.ade_sync SET unswept = false WHERE account = $1`,
    missing: `SELECT p.serial FROM unnest($2::text[]) AS p (serial)
      WHERE NOT EXISTS (SELECT FROM ${s}.ade_device d WHERE d.account = $1 AND d.serial = p.serial AND d.gone_at IS NULL)
      ORDER BY p.serial COLLATE "C"`,
    assign: `UPDATE ${s}.ade_device SET wanted = $3, attempts = 0, outcome = NULL,
        assign_at = CASE WHEN profile_uuid = $3 THEN NULL ELSE $4::bigint END
      WHERE account = $1 AND serial = ANY ($2) AND gone_at IS NULL`,
    due: `SELECT serial AS "serialNumber", wanted AS "profileUuid" FROM ${s}.ade_device
      WHERE account = $1 AND assign_at <= $2 ORDER BY assign_at, serial LIMIT $3`,
    settle: `UPDATE ${s}.ade_device d SET outcome = p.outcome,
        profile_uuid = CASE WHEN p.outcome = 'SUCCESS' THEN d.wanted ELSE d.profile_uuid END,
        profile_status = CASE WHEN p.outcome = 'SUCCESS' THEN 'assigned' ELSE d.profile_status END,
        assign_at = CASE WHEN p.outcome <> 'SUCCESS' THEN $5::bigint END,
        attempts = CASE WHEN p.outcome = 'SUCCESS' THEN 0 ELSE d.attempts + 1 END,
        updated_at = CASE WHEN p.outcome = 'SUCCESS' THEN $6::bigint ELSE d.updated_at END
      FROM unnest($2::text[], $3::text[], $4::text[]) AS p (serial, wanted, outcome)
      WHERE d.account = $1 AND d.serial = p.serial AND d.wanted = p.wanted AND d.assign_at IS NOT NULL`,
    devices: {
      listed: `SELECT ${device} FROM ${s}.ade_device d WHERE ($4::text IS NULL OR d.account = $4)
        AND (d.account, d.serial) > ($1, $2) AND d.gone_at IS NULL ORDER BY d.account, d.serial LIMIT $3`,
      gone: `SELECT ${device} FROM ${s}.ade_device d WHERE ($4::text IS NULL OR d.account = $4)
        AND (d.account, d.serial) > ($1, $2) AND d.gone_at IS NOT NULL ORDER BY d.account, d.serial LIMIT $3`,
      all: `SELECT ${device} FROM ${s}.ade_device d WHERE ($4::text IS NULL OR d.account = $4)
        AND (d.account, d.serial) > ($1, $2) ORDER BY d.account, d.serial LIMIT $3`,
    },
    find: `SELECT ${device} FROM ${s}.ade_device d WHERE d.serial = $1 ORDER BY d.gone_at IS NOT NULL, d.account`,
    counts: `SELECT (SELECT count(*) FROM ${s}.ade_device WHERE account = $1 AND gone_at IS NULL) AS listed,
      (SELECT count(*) FROM ${s}.ade_device WHERE account = $1 AND assign_at IS NOT NULL) AS due`,
    enrolled: `SELECT e.serial_number AS "serialNumber", e.id AS "enrolmentId"
      FROM ${s}.enrolment e JOIN ${s}.live l ON l.id = e.id
      WHERE e.serial_number COLLATE "C" = ANY ($1::text[]) AND l.channel = 'device' AND l.status IN ('pending', 'active')`,
    stage: `INSERT INTO ${s}.ade_staged AS t (serial, attributes)
      SELECT p.serial, p.attributes::jsonb FROM unnest($1::text[], $2::text[]) AS p (serial, attributes)
      ORDER BY p.serial COLLATE "C"
      ON CONFLICT (serial) DO UPDATE SET attributes = t.attributes || excluded.attributes`,
    staged: `SELECT attributes FROM ${s}.ade_staged WHERE serial = $1`,
  };
}
