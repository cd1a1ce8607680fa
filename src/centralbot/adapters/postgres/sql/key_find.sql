-- An active service key.
select key_id, encrypted_key, allow_unbound, created_at, revoked_at
  from service_bot_keys where key_id = %(key_id)s and revoked_at is null
