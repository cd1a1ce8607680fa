-- All service keys, oldest first.
select key_id, encrypted_key, allow_unbound, created_at, revoked_at from service_bot_keys order by created_at, key_id
