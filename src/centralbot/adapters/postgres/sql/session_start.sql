-- Store a new session, and the login that its person has now.
with person as (
  insert into users (github_user_id, github_login) values (%(user_id)s, %(login)s)
  on conflict (github_user_id) do update set github_login = excluded.github_login, last_seen_at = now()
  returning github_user_id)
insert into user_sessions (id, token_digest, github_user_id, encrypted_access_token, encrypted_refresh_token,
                           access_expires_at, refresh_expires_at, created_at, expires_at)
select %(id)s, %(token_digest)s, p.github_user_id, %(access_token)s, %(refresh_token)s, %(access_expires_at)s,
       %(refresh_expires_at)s, %(created_at)s, %(expires_at)s
  from person p
