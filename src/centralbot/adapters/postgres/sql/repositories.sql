-- Every known repository with its installation and configuration, by name.
select k.repo_id, r.full_name, i.installation_id, i.status, i.account_login, i.account_type,
       coalesce(r.active, false) and i.status = 'ACTIVE',
       c.config::text,
       case when r.active and i.status = 'ACTIVE' and r.active_since is not null and c.updated_at is not null
            then greatest(r.active_since, i.changed_at, c.updated_at) end
  from (select repo_id from github_installation_repositories union select repo_id from repo_configs) k
  left join lateral (
    select x.* from github_installation_repositories x where x.repo_id = k.repo_id
     order by x.active desc, x.changed_at desc limit 1) r on true
  left join github_installations i on i.installation_id = r.installation_id
  left join repo_configs c on c.repo_id = k.repo_id
 order by r.full_name, k.repo_id
