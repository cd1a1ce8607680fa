-- People: sessions, what serves once, and who is who.

-- name: session_find
-- An active session by the digest of its cookie.
select s.id, s.github_user_id, u.github_login, s.encrypted_access_token, s.access_expires_at, s.encrypted_refresh_token,
       s.refresh_expires_at, s.created_at, s.expires_at
  from user_sessions s join users u on u.github_user_id = s.github_user_id
 where s.token_digest = %(token_digest)s and s.expires_at > now()

-- name: session_lock
-- An active session, locked: its tokens are about to be replaced.
select s.id, s.github_user_id, u.github_login, s.encrypted_access_token, s.access_expires_at, s.encrypted_refresh_token,
       s.refresh_expires_at, s.created_at, s.expires_at
  from user_sessions s join users u on u.github_user_id = s.github_user_id
 where s.id = %(id)s and s.expires_at > now() for update of s

-- name: session_renew
-- Replace the tokens of a session whose lock the caller holds.
update user_sessions
   set encrypted_access_token = %(access_token)s, access_expires_at = %(access_expires_at)s,
       encrypted_refresh_token = %(refresh_token)s, refresh_expires_at = %(refresh_expires_at)s
 where id = %(id)s

-- name: session_revoke
-- End a session by the digest of its cookie; returns it as it was, where it was active.
delete from user_sessions s using users u
 where s.token_digest = %(token_digest)s and u.github_user_id = s.github_user_id and s.expires_at > now()
returning s.id, s.github_user_id, u.github_login, s.encrypted_access_token, s.access_expires_at,
          s.encrypted_refresh_token, s.refresh_expires_at, s.created_at, s.expires_at

-- name: session_revoke_all
-- End every active session of a person.
delete from user_sessions where github_user_id = %(user_id)s and expires_at > now() returning id

-- name: session_start
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

-- name: use_once
-- Use something that serves once; a row comes back for the first who does.
insert into single_uses (kind, digest, expires_at) values (%(kind)s, %(digest)s, %(expires_at)s)
on conflict do nothing returning kind

-- name: user_seen
-- Keep the login that a person has now.
insert into users (github_user_id, github_login) values (%(user_id)s, %(login)s)
on conflict (github_user_id) do update set github_login = excluded.github_login, last_seen_at = now()

-- name: logins
-- The last known logins: of who signed in, else as somebody whitelisted them last.
select k.id, coalesce(u.github_login, w.github_login)
  from unnest(%(user_ids)s::bigint[]) as k(id)
  left join users u on u.github_user_id = k.id
  left join lateral (
    select x.github_login from repo_whitelist x where x.github_user_id = k.id order by x.added_at desc limit 1) w on true
 where coalesce(u.github_login, w.github_login) is not null
