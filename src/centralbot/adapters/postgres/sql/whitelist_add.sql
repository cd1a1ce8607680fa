-- Add or refresh a whitelist entry, and say in the audit who did.
with added as (
  insert into repo_whitelist (repo_id, github_user_id, github_login, added_by)
  values (%(repo_id)s, %(user_id)s, %(login)s, %(actor)s)
  on conflict (repo_id, github_user_id) do update set github_login = excluded.github_login)
insert into audit_events (id, at, event, actor, repo_id, detail)
values (centralbot_uuid7(), now(), 'whitelist.added', %(actor)s, %(repo_id)s,
        jsonb_build_object('user_id', %(user_id)s::bigint, 'login', %(login)s::text))
