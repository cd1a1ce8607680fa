with a as (
  insert into bot_actions (id, action_type, installation_id, repo_id, repo_full_name, pr_number, payload)
  select centralbot_uuid7(), 'UPSERT_PR_COMMENT', i, %(offset)s + i, 'org' || i || '/r', n,
         json_build_object('marker', 'centralbot:gate:' || gen_random_uuid(), 'markdown', 'a comment',
                           'reason', 'VERIFICATION_REQUIRED')
    from generate_series(%(first)s::int, %(last)s::int) i, generate_series(%(from)s::int, %(to)s::int) n
  returning *)
insert into bot_action_queue (action_id, installation_id, repo_id, pr_number, action_type, supersede_key, run_at)
select id, installation_id, repo_id, pr_number, action_type, payload->>'marker', now() from a order by pr_number
