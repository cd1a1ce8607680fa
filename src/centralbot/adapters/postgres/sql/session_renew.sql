-- Replace the tokens of a session whose lock the caller holds.
update user_sessions
   set encrypted_access_token = %(access_token)s, access_expires_at = %(access_expires_at)s,
       encrypted_refresh_token = %(refresh_token)s, refresh_expires_at = %(refresh_expires_at)s
 where id = %(id)s
