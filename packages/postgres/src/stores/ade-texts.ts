// The statements of automated device enrolment.

/** The statements, for a schema (already quoted). */
export function adeTexts(s: string) {
  const account = `id, name, details, token_expires_at AS "tokenExpiresAt", default_profile AS "defaultProfile", rules,
    version, created_at AS "createdAt", updated_at AS "updatedAt"`;
  const sync = `phase, cursor, generation, unswept, pages, progressed_at AS "progressedAt", finished_at AS "finishedAt",
    failure, fence, leased_until AS "leasedUntil"`;
  const device = `d.account AS "accountId", d.serial AS "serialNumber", d.record, d.profile_uuid AS "profileUuid",
    d.profile_status AS "profileStatus", d.profile AS "profileId", d.wanted AS "wantedProfileUuid", d.assign_at AS "assignAt",
    d.attempts AS "assignAttempts", d.outcome AS "assignOutcome", d.added_at AS "addedAt", d.updated_at AS "updatedAt",
    d.gone_at AS "goneAt",
    (SELECT e.id FROM ${s}.enrolment e JOIN ${s}.live l ON l.id = e.id
      WHERE e.serial_number COLLATE "C" = d.serial AND l.channel = 'device' AND l.status IN ('pending', 'active')
      ORDER BY coalesce(l.last_seen_at, 0) DESC, e.id LIMIT 1) AS "enrolmentId"`;
  // An earlier time than is known counts as nothing.
  const profile = `id, account AS "accountId", name, description, definition, version, apple_uuid AS "appleUuid",
    apple_version AS "appleVersion", failure, created_at AS "createdAt", updated_at AS "updatedAt"`;
  // A device is to have the stored profile $1 and so the one at Apple $2, from $3 on; what Apple does not have yet waits.
  const want = `profile = $1, wanted = $2, attempts = 0, outcome = NULL, assign_at = CASE
      WHEN d.profile_uuid IS NOT DISTINCT FROM $2 OR ($1::text IS NOT NULL AND $2::text IS NULL) THEN NULL
      ELSE $3::bigint END`;
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
    // One statement: all its parts see the devices as they were before. Deleted and other devices are never the same.
    page: `WITH page AS MATERIALIZED (
        SELECT e ->> 0 AS serial, (e ->> 1)::bigint AS changed_at, (e ->> 2)::boolean AS deleted, e -> 3 AS record,
          e ->> 4 AS profile, e ->> 5 AS status, f.id AS stored,
          CASE WHEN e ->> 7 IS NULL THEN e ->> 6 ELSE f.apple_uuid END AS wanted
        FROM jsonb_array_elements($1::jsonb) AS e
        LEFT JOIN ${s}.ade_profile f ON f.id = e ->> 7 AND f.account = $2
      ), counted AS (
        SELECT
          count(*) FILTER (WHERE NOT p.deleted AND (d.serial IS NULL OR d.gone_at IS NOT NULL)) AS added,
          count(*) FILTER (WHERE NOT p.deleted AND d.gone_at IS NULL AND d.record <> p.record) AS modified,
          count(*) FILTER (WHERE p.deleted AND d.serial IS NOT NULL AND d.gone_at IS NULL) AS deleted
        FROM page p LEFT JOIN ${s}.ade_device d ON d.account = $2 AND d.serial = p.serial
        WHERE ${newer}
      ), upserted AS (
        INSERT INTO ${s}.ade_device AS d (account, serial, record, profile_uuid, profile_status, profile, wanted,
          assign_at, generation, changed_at, added_at, updated_at)
        SELECT $2, p.serial, p.record, p.profile, p.status, p.stored, p.wanted,
          CASE WHEN p.wanted <> p.profile OR (p.wanted IS NOT NULL AND p.profile IS NULL) THEN $3::bigint END,
          $4, p.changed_at, $3, $3
        FROM page p WHERE NOT p.deleted ORDER BY p.serial COLLATE "C"
        ON CONFLICT (account, serial) DO UPDATE SET
          record = excluded.record, profile_uuid = excluded.profile_uuid, profile_status = excluded.profile_status,
          generation = excluded.generation, changed_at = excluded.changed_at, gone_at = NULL,
          profile = CASE WHEN d.gone_at IS NULL THEN d.profile ELSE excluded.profile END,
          wanted = CASE WHEN d.gone_at IS NULL THEN d.wanted ELSE excluded.wanted END,
          assign_at = CASE WHEN d.gone_at IS NOT NULL THEN excluded.assign_at
            WHEN d.wanted IS NOT DISTINCT FROM excluded.profile_uuid THEN NULL ELSE d.assign_at END,
          attempts = CASE WHEN d.gone_at IS NULL THEN d.attempts ELSE 0 END,
          outcome = CASE WHEN d.gone_at IS NULL THEN d.outcome END,
          added_at = CASE WHEN d.gone_at IS NULL THEN d.added_at ELSE excluded.added_at END,
          updated_at = CASE WHEN d.gone_at IS NULL AND d.record = excluded.record THEN d.updated_at
            ELSE excluded.updated_at END
        WHERE (excluded.changed_at < d.changed_at) IS NOT TRUE
      ), removed AS (
        UPDATE ${s}.ade_device d SET gone_at = $3, updated_at = $3, assign_at = NULL, changed_at = p.changed_at
        FROM page p
        WHERE p.deleted AND d.account = $2 AND d.serial = p.serial AND d.gone_at IS NULL AND ${newer}
      ) SELECT added, modified, deleted FROM counted`,
    sweep: `UPDATE ${s}.ade_device SET gone_at = $3, updated_at = $3, assign_at = NULL
      WHERE account = $1 AND serial IN (
        SELECT serial FROM ${s}.ade_device WHERE account = $1 AND gone_at IS NULL AND generation < $2 LIMIT $4
      ) RETURNING serial`,
    swept: `UPDATE ${s}.ade_sync SET unswept = false WHERE account = $1`,
    missing: `SELECT p.serial FROM unnest($2::text[]) AS p (serial)
      WHERE NOT EXISTS (SELECT FROM ${s}.ade_device d WHERE d.account = $1 AND d.serial = p.serial AND d.gone_at IS NULL)
      ORDER BY p.serial COLLATE "C"`,
    assign: `UPDATE ${s}.ade_device d SET ${want} WHERE account = $4 AND serial = ANY ($5) AND gone_at IS NULL`,
    profile: `SELECT ${profile} FROM ${s}.ade_profile WHERE id = $1`,
    ownProfile: `SELECT ${profile} FROM ${s}.ade_profile WHERE id = $1 AND account = $2`,
    profiles: `SELECT ${profile} FROM ${s}.ade_profile WHERE account = $1 ORDER BY id`,
    profileVersion: `SELECT version FROM ${s}.ade_profile WHERE id = $1 FOR UPDATE`,
    // The account's row first, so that neither is written while the other is deleted.
    accountThere: `SELECT 1 FROM ${s}.ade_account WHERE id = $1 FOR SHARE`,
    addProfile: `INSERT INTO ${s}.ade_profile
        (id, account, name, description, definition, version, apple_uuid, apple_version, failure, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING RETURNING 1`,
    changeProfile: `UPDATE ${s}.ade_profile
      SET name = $2, description = $3, definition = $4, version = $5, failure = $6, updated_at = $7 WHERE id = $1 RETURNING 1`,
    profileUse: `SELECT profile AS "profileId", count(*) AS devices,
        count(*) FILTER (WHERE profile_status = 'pushed') AS "setUp"
      FROM ${s}.ade_device WHERE account = $1 AND profile IS NOT NULL AND gone_at IS NULL GROUP BY profile ORDER BY profile`,
    // Of a version that was changed since nothing is known.
    publish: `UPDATE ${s}.ade_profile SET apple_uuid = coalesce($3, apple_uuid),
        apple_version = CASE WHEN $3::text IS NULL THEN apple_version ELSE $4 END,
        failure = CASE WHEN version = $4 THEN $5 ELSE failure END
      WHERE id = $1 AND account = $2 RETURNING 1`,
    // Each of the three walks the index: those that want it already are not looked at.
    follow: `UPDATE ${s}.ade_device d SET ${want} WHERE account = $4 AND serial IN (
        (SELECT serial FROM ${s}.ade_device
          WHERE account = $4 AND profile = $1 AND gone_at IS NULL AND wanted IS NULL LIMIT $5)
        UNION ALL (SELECT serial FROM ${s}.ade_device
          WHERE account = $4 AND profile = $1 AND gone_at IS NULL AND wanted < $2 LIMIT $5)
        UNION ALL (SELECT serial FROM ${s}.ade_device
          WHERE account = $4 AND profile = $1 AND gone_at IS NULL AND wanted > $2 LIMIT $5)
        LIMIT $5) RETURNING 1`,
    otherDefault: `UPDATE ${s}.ade_account SET default_profile = $1, version = version + 1, updated_at = $2
      WHERE id = $3 AND default_profile = $4`,
    leave: `UPDATE ${s}.ade_device d SET ${want} WHERE account = $4 AND serial IN (
        SELECT serial FROM ${s}.ade_device WHERE account = $4 AND profile = $5 AND gone_at IS NULL LIMIT $6) RETURNING 1`,
    deleteProfile: `DELETE FROM ${s}.ade_profile WHERE id = $1`,
    deleteProfiles: `DELETE FROM ${s}.ade_profile WHERE account = $1`,
    lock: `SELECT 1 FROM ${s}.ade_sync WHERE account = $1 FOR UPDATE`,
    due: `SELECT serial AS "serialNumber", wanted AS "profileUuid" FROM ${s}.ade_device
      WHERE account = $1 AND assign_at <= $2 ORDER BY assign_at, serial LIMIT $3`,
    settle: `UPDATE ${s}.ade_device d SET outcome = p.outcome,
        profile_uuid = CASE WHEN p.outcome = 'SUCCESS' THEN d.wanted ELSE d.profile_uuid END,
        profile_status = CASE WHEN p.outcome <> 'SUCCESS' THEN d.profile_status
          WHEN d.wanted IS NULL THEN 'removed' ELSE 'assigned' END,
        assign_at = CASE WHEN p.outcome <> 'SUCCESS' THEN $5::bigint END,
        attempts = CASE WHEN p.outcome = 'SUCCESS' THEN 0 ELSE d.attempts + 1 END,
        updated_at = CASE WHEN p.outcome = 'SUCCESS' THEN $6::bigint ELSE d.updated_at END
      FROM unnest($2::text[], $3::text[], $4::text[]) AS p (serial, wanted, outcome)
      WHERE d.account = $1 AND d.serial = p.serial AND d.wanted IS NOT DISTINCT FROM p.wanted AND d.assign_at IS NOT NULL`,
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
      WHERE e.serial_number COLLATE "C" = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))
        AND l.channel = 'device' AND l.status IN ('pending', 'active')`,
    stage: `INSERT INTO ${s}.ade_staged AS t (serial, attributes)
      SELECT p.serial, p.attributes::jsonb FROM unnest($1::text[], $2::text[]) AS p (serial, attributes)
      ORDER BY p.serial COLLATE "C"
      ON CONFLICT (serial) DO UPDATE SET attributes = t.attributes || excluded.attributes`,
    staged: `SELECT attributes FROM ${s}.ade_staged WHERE serial = $1`,
  };
}
