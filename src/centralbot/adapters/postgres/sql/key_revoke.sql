-- Revoke an active service key.
update service_bot_keys set revoked_at = now() where key_id = %(key_id)s and revoked_at is null returning key_id
