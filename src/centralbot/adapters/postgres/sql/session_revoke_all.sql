-- End every active session of a person.
delete from user_sessions where github_user_id = %(user_id)s and expires_at > now() returning id
