-- Store a new service key.
insert into service_bot_keys (key_id, encrypted_key, allow_unbound)
values (%(key_id)s, %(encrypted_key)s, %(allow_unbound)s)
returning key_id, encrypted_key, allow_unbound, created_at, revoked_at
