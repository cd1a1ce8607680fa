-- An active session by the digest of its cookie.
select s.id, s.github_user_id, u.github_login, s.encrypted_access_token, s.access_expires_at, s.encrypted_refresh_token,
       s.refresh_expires_at, s.created_at, s.expires_at
  from user_sessions s join users u on u.github_user_id = s.github_user_id
 where s.token_digest = %(token_digest)s and s.expires_at > now()
