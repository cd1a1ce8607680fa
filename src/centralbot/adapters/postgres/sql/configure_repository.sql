-- Set a repository's configuration, and say in the audit who did, what it is now and what it was.
-- updated_at is since when it is as it is: setting the same once more leaves it.
with configured as (
  insert into repo_configs (repo_id, mode, draft_prs_gated, window_s, verification, exempt_associations, exempt_bots,
                            comment_on_exempt, exempt_label, rules, updated_by)
  values (%(repo_id)s, %(mode)s, %(draft_prs_gated)s, %(window_s)s, %(verification)s, %(exempt_associations)s,
          %(exempt_bots)s, %(comment_on_exempt)s, %(exempt_label)s, %(rules)s, %(actor)s)
  on conflict (repo_id) do update
     set mode = excluded.mode, draft_prs_gated = excluded.draft_prs_gated, window_s = excluded.window_s,
         verification = excluded.verification, exempt_associations = excluded.exempt_associations,
         exempt_bots = excluded.exempt_bots, comment_on_exempt = excluded.comment_on_exempt,
         exempt_label = excluded.exempt_label, rules = excluded.rules, updated_by = excluded.updated_by,
         updated_at = case when %(changed)s then now() else repo_configs.updated_at end)
insert into audit_events (id, at, event, actor, repo_id, detail)
values (centralbot_uuid7(), now(), 'repository.configured', %(actor)s, %(repo_id)s, %(detail)s::jsonb)
