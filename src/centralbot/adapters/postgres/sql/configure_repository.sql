-- Set a repository's configuration, and say in the audit who did, what it is now and what it was.
-- updated_at is since when it is as it is: setting the same once more leaves it. A newer version's document stays one.
with configured as (
  insert into repo_configs (repo_id, version, config, updated_by)
  values (%(repo_id)s, %(version)s, %(config)s::jsonb, %(actor)s)
  on conflict (repo_id) do update
     set version = greatest(repo_configs.version, excluded.version), config = excluded.config,
         updated_by = excluded.updated_by,
         updated_at = case when %(changed)s then now() else repo_configs.updated_at end)
insert into audit_events (id, at, event, actor, repo_id, detail)
values (centralbot_uuid7(), now(), 'repository.configured', %(actor)s, %(repo_id)s, %(detail)s::jsonb)
