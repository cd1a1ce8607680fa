-- Keep the login that a person has now.
insert into users (github_user_id, github_login) values (%(user_id)s, %(login)s)
on conflict (github_user_id) do update set github_login = excluded.github_login, last_seen_at = now()
