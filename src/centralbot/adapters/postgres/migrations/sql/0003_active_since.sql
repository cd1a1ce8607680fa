-- Since when a repository is in its installation, as far as we were told: `sync` gates nothing that is older.
-- changed_at is when that was last said, so it is never too early; an operator's word (the epoch) counts from now.
alter table github_installation_repositories add column active_since timestamptz;
update github_installation_repositories
   set active_since = case when changed_at > to_timestamp(0) then changed_at else now() end
 where active;
