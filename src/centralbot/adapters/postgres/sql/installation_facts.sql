-- An installation and what of it an event needs: its repositories, and where else the named ones are active.
-- One row per repository (or a single row without one). Repositories of the installation itself have ours = true.
with t as (select %(installation_id)s::bigint as installation_id)
select i.installation_id, i.status, i.changed_at, i.account_login, i.account_type, i.account_id,
       i.repository_selection,
       exists (select from github_event_deliveries d
                where d.delivery_id = %(delivery_id)s and d.event_name = %(event_name)s) as taken,
       exists (select from internal_request_replays p
                where p.signed_at = %(signed_at)s and p.digest = %(digest)s) as replayed,
       r.installation_id, r.repo_id, r.full_name, r.active, r.changed_at,
       r.active_since
  from t
  left join github_installations i on i.installation_id = t.installation_id
  left join lateral (
    select x.* from github_installation_repositories x where x.installation_id = t.installation_id
    union all
    select x.* from github_installation_repositories x
     where x.repo_id = any(%(repo_ids)s::bigint[]) and x.active and x.installation_id <> t.installation_id) r on true
