-- End a session by the digest of its cookie; returns it as it was, where it was active.
delete from user_sessions s using users u
 where s.token_digest = %(token_digest)s and u.github_user_id = s.github_user_id and s.expires_at > now()
returning s.id, s.github_user_id, u.github_login, s.encrypted_access_token, s.access_expires_at,
          s.encrypted_refresh_token, s.refresh_expires_at, s.created_at, s.expires_at
