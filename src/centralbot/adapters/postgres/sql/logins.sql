-- The last known logins: of who signed in, else as somebody whitelisted them last.
select k.id, coalesce(u.github_login, w.github_login)
  from unnest(%(user_ids)s::bigint[]) as k(id)
  left join users u on u.github_user_id = k.id
  left join lateral (
    select x.github_login from repo_whitelist x where x.github_user_id = k.id order by x.added_at desc limit 1) w on true
 where coalesce(u.github_login, w.github_login) is not null
