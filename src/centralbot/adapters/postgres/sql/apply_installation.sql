-- Write what an installation event changed: the installation and the repositories, deactivated ones in an earlier
-- statement (a repository is active in one installation at a time).
with
installed as (
  insert into github_installations
    (installation_id, status, changed_at, account_login, account_type, account_id, repository_selection)
  select t.id, t.status, t.changed_at, t.account_login, t.account_type, t.account_id, t.repository_selection
    from json_to_recordset(%(installations)s::json) as t(
      id bigint, status text, changed_at timestamptz, account_login text, account_type text, account_id bigint,
      repository_selection text)
  on conflict (installation_id) do update
     set status = excluded.status, changed_at = excluded.changed_at, account_login = excluded.account_login,
         account_type = excluded.account_type, account_id = excluded.account_id,
         repository_selection = excluded.repository_selection, updated_at = now(),
         paused_until = case when excluded.status = 'ACTIVE' and github_installations.status <> 'ACTIVE'
                             then null else github_installations.paused_until end)
insert into github_installation_repositories (installation_id, repo_id, full_name, active, changed_at, active_since)
select t.installation_id, t.repo_id, t.full_name, t.active, t.changed_at, t.active_since
  from json_to_recordset(%(repositories)s::json) as t(
    installation_id bigint, repo_id bigint, full_name text, active boolean, changed_at timestamptz,
    active_since timestamptz)
on conflict (installation_id, repo_id) do update
   set full_name = excluded.full_name, active = excluded.active, changed_at = excluded.changed_at,
       active_since = excluded.active_since
