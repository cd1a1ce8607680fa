-- What operators and the processes themselves ask: keys, schema, clock, audit.

-- name: key_create
-- Store a new service key.
insert into service_bot_keys (key_id, encrypted_key, allow_unbound)
values (%(key_id)s, %(encrypted_key)s, %(allow_unbound)s)
returning key_id, encrypted_key, allow_unbound, created_at, revoked_at

-- name: key_find
-- An active service key.
select key_id, encrypted_key, allow_unbound, created_at, revoked_at
  from service_bot_keys where key_id = %(key_id)s and revoked_at is null

-- name: key_list
-- All service keys, oldest first.
select key_id, encrypted_key, allow_unbound, created_at, revoked_at from service_bot_keys order by created_at, key_id

-- name: key_revoke
-- Revoke an active service key.
update service_bot_keys set revoked_at = now() where key_id = %(key_id)s and revoked_at is null returning key_id

-- name: schema_lock
-- The right to change the schema, held until the session ends. Waits for lock_timeout_ms at most.
SELECT set_config('lock_timeout', %(lock_timeout_ms)s, false), pg_advisory_lock(%(key)s)

-- name: schema_revision
-- The revision that the schema is at. Alembic keeps one row; the table is missing on an empty database.
SELECT version_num FROM alembic_version

-- name: server_version
-- The server's version.
show server_version

-- name: clock
-- The store's clock.
select clock_timestamp()

-- name: audit_of_repo
-- What happened in a repository, newest first, a page at a time: a range of the index, read backwards.
select id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail
  from audit_events
 where repo_id = %(repo_id)s and id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 order by id desc limit %(limit)s
