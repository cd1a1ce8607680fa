-- Make a whitelist exactly what is given, and say in the audit who came and who went.
with wanted as (
  select * from unnest(%(user_ids)s::bigint[], %(logins)s::text[]) as w(user_id, login)),
removed as (
  delete from repo_whitelist e
   where e.repo_id = %(repo_id)s and not exists (select from wanted w where w.user_id = e.github_user_id)
  returning e.github_user_id, e.github_login),
known as (
  select github_user_id from repo_whitelist where repo_id = %(repo_id)s),
put as (
  insert into repo_whitelist (repo_id, github_user_id, github_login, added_by)
  select %(repo_id)s, w.user_id, w.login, %(actor)s from wanted w
  on conflict (repo_id, github_user_id) do update set github_login = excluded.github_login
    where repo_whitelist.github_login <> excluded.github_login)
insert into audit_events (id, at, event, actor, repo_id, detail)
select centralbot_uuid7(), now(), t.event, %(actor)s, %(repo_id)s,
       jsonb_build_object('user_id', t.user_id, 'login', t.login)
  from (select 'whitelist.removed' as event, r.github_user_id as user_id, r.github_login as login from removed r
         union all
        select 'whitelist.added', w.user_id, w.login from wanted w
         where w.user_id not in (select k.github_user_id from known k)) t
