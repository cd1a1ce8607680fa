with a as (
  insert into bot_actions (id, action_type, installation_id, repo_id, repo_full_name, pr_number, payload)
  select centralbot_uuid7(), 'UPSERT_PR_COMMENT', 1 + r %% 1000, r, 'org/repo', g,
         json_build_object('marker', 'm:' || g, 'markdown', repeat('x', 480), 'reason', 'VERIFICATION_REQUIRED') from generate_series(1, %(count)s) g, lateral (select 1 + g %% 5000 as r) x
  returning *)
insert into bot_action_queue (action_id, installation_id, repo_id, pr_number, action_type, supersede_key, run_at)
select id, installation_id, repo_id, pr_number, action_type, payload->>'marker', now() from a
