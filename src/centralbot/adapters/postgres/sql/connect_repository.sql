-- An operator says that a repository is in an installation. The time is the epoch: any event of GitHub is newer.
with installed as (
  insert into github_installations (installation_id, status, changed_at)
  values (%(installation_id)s, 'ACTIVE', to_timestamp(0)) on conflict do nothing)
insert into github_installation_repositories (installation_id, repo_id, full_name, active, changed_at, active_since)
values (%(installation_id)s, %(repo_id)s, %(full_name)s, true, to_timestamp(0), now())
on conflict (installation_id, repo_id) do update
   set full_name = excluded.full_name, active = true,
       active_since = case when github_installation_repositories.active
                           then github_installation_repositories.active_since else now() end
