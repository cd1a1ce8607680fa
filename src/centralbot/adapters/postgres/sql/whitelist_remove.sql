-- Remove a whitelist entry, and say in the audit who did. Returns a row where there was one.
with removed as (
  delete from repo_whitelist where repo_id = %(repo_id)s and github_user_id = %(user_id)s returning github_login)
insert into audit_events (id, at, event, actor, repo_id, detail)
select centralbot_uuid7(), now(), 'whitelist.removed', %(actor)s, %(repo_id)s,
       jsonb_build_object('user_id', %(user_id)s::bigint, 'login', r.github_login)
  from removed r
returning id
