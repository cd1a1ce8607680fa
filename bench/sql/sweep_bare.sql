-- What sweeping writes, as one set-based statement without any decision: challenge, action, queue, audit.
with head as materialized (
  select array(select h.id from pr_challenges h
                where h.status = 'PENDING' and h.deadline_at <= now()
                order by h.deadline_at limit %(limit)s for update skip locked) as ids),
out as (
  update pr_challenges c set status = 'TIMED_OUT_CLOSED', reason = 'DEADLINE', updated_at = now()
   where c.id = any((select ids from head)::uuid[])
  returning c.*),
ac as (
  insert into bot_actions (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, payload)
  select centralbot_uuid7(), 'CLOSE_PR_WITH_COMMENT', installation_id, repo_id, repo_full_name, pr_number, id,
         json_build_object('marker', 'centralbot:timeout:' || id, 'markdown', repeat('x', 480),
                           'reason', 'CHALLENGE_TIMED_OUT') from out
  returning id, installation_id, repo_id, pr_number, challenge_id, 'centralbot:timeout:' || challenge_id as key),
qq as (
  insert into bot_action_queue (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, supersede_key, run_at)
  select id, installation_id, repo_id, pr_number, challenge_id, 'CLOSE_PR_WITH_COMMENT', key, now() from ac),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), now(), 'challenge.timed_out', 'centralbot', installation_id, repo_id, pr_number, id,
         jsonb_build_object('why', 'DEADLINE', 'was', 'PENDING') from out)
select count(*) from out
