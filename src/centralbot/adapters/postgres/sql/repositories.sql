-- Repositories, their configuration and their whitelist.

-- name: repositories
-- Every known repository with its installation and configuration, by name.
select k.repo_id as known_id, {{columns.installation}}, {{columns.repository}}, c.config::text as config,
       c.updated_at as configured_at
  from (select repo_id from github_installation_repositories union select repo_id from repo_configs) k
  left join lateral (
    select x.* from github_installation_repositories x where x.repo_id = k.repo_id
     order by x.active desc, x.changed_at desc limit 1) r on true
  left join github_installations i on i.installation_id = r.installation_id
  left join repo_configs c on c.repo_id = k.repo_id
 order by r.full_name, k.repo_id

-- name: repository
-- A repository with its installation and configuration, by index probes alone; no row where it was never heard of.
select k.repo_id as known_id, {{columns.installation}}, {{columns.repository}}, c.config::text as config,
       c.updated_at as configured_at
  from (select %(repo_id)s::bigint as repo_id) k
  left join lateral (
    select x.* from github_installation_repositories x where x.repo_id = k.repo_id
     order by x.active desc, x.changed_at desc limit 1) r on true
  left join github_installations i on i.installation_id = r.installation_id
  left join repo_configs c on c.repo_id = k.repo_id
 where r.repo_id is not null or c.repo_id is not null

-- name: configuration
-- A repository's configuration.
select config::text as config from repo_configs where repo_id = %(repo_id)s

-- name: configure_repository
-- Set a repository's configuration, and say in the audit who did, what it is now and what it was.
-- updated_at is since when it is as it is: setting the same once more leaves it. A newer version's document stays one.
with configured as (
  insert into repo_configs (repo_id, version, config, updated_by, updated_at)
  values (%(repo_id)s, %(version)s, %(config)s::jsonb, %(actor)s, %(now)s)
  on conflict (repo_id) do update
     set version = greatest(repo_configs.version, excluded.version), config = excluded.config,
         updated_by = excluded.updated_by,
         updated_at = case when %(changed)s then excluded.updated_at else repo_configs.updated_at end)
insert into audit_events (id, at, event, actor, repo_id, detail)
values (centralbot_uuid7(), %(now)s, 'repository.configured', %(actor)s, %(repo_id)s, %(detail)s::jsonb)

-- name: connect_repository
-- An operator says that a repository is in an installation; any event of GitHub is newer.
with installed as (
  insert into github_installations (installation_id, status, changed_at)
  values (%(installation_id)s, %(status)s, %(unsaid)s) on conflict do nothing)
insert into github_installation_repositories as k
  (installation_id, repo_id, full_name, active, changed_at, active_since)
values (%(installation_id)s, %(repo_id)s, %(full_name)s, true, %(unsaid)s, %(now)s)
on conflict (installation_id, repo_id) do update
   set full_name = excluded.full_name, active = true,
       active_since = case when k.active then k.active_since else excluded.active_since end

-- name: leave_others
-- An operator says that a repository is in another installation: it leaves the one where it is active.
update github_installation_repositories set active = false, active_since = null
 where repo_id = %(repo_id)s and active and installation_id <> %(installation_id)s

-- name: installation_status
-- The status of an installation.
select status from github_installations where installation_id = %(installation_id)s

-- name: installations
-- Every installation ever heard of.
select {{columns.installation}} from github_installations i order by i.installation_id

-- name: whitelist_add
-- Add or refresh a whitelist entry, and say in the audit who did.
with added as (
  insert into repo_whitelist (repo_id, github_user_id, github_login, added_by)
  values (%(repo_id)s, %(user_id)s, %(login)s, %(actor)s)
  on conflict (repo_id, github_user_id) do update set github_login = excluded.github_login)
insert into audit_events (id, at, event, actor, repo_id, detail)
values (centralbot_uuid7(), now(), 'whitelist.added', %(actor)s, %(repo_id)s,
        jsonb_build_object('user_id', %(user_id)s::bigint, 'login', %(login)s::text))

-- name: whitelist_entries
-- A repository's whitelist, by login.
select github_user_id, github_login, added_at
  from repo_whitelist where repo_id = %(repo_id)s order by lower(github_login), github_user_id

-- name: whitelist_remove
-- Remove a whitelist entry, and say in the audit who did. Returns a row where there was one.
with removed as (
  delete from repo_whitelist where repo_id = %(repo_id)s and github_user_id = %(user_id)s returning github_login)
insert into audit_events (id, at, event, actor, repo_id, detail)
select centralbot_uuid7(), now(), 'whitelist.removed', %(actor)s, %(repo_id)s,
       jsonb_build_object('user_id', %(user_id)s::bigint, 'login', r.github_login)
  from removed r
returning id

-- name: whitelist_replace
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
