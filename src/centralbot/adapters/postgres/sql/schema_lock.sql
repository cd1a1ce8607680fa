-- The right to change the schema, held until the session ends. Waits for lock_timeout_ms at most.
SELECT set_config('lock_timeout', %(lock_timeout_ms)s, false), pg_advisory_lock(%(key)s)
