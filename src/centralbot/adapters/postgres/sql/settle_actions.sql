-- Take a batch of results. A result counts only from the claim that holds the action; one that does not count has no
-- status in the answer. The delay of a retry is picked from the domain's backoff by the attempts made.
with s as materialized (
  select * from json_to_recordset(%(results)s::json) as t(
    action_id uuid, worker_id text, outcome text, failure_code text, failure_message text, claim_token uuid,
    retry_after_s float8, pause_installation_s float8, comment_id bigint, delays float8[],
    signed_at bigint, digest text)),
fresh as (
  insert into internal_request_replays (signed_at, digest)
  select s.signed_at, decode(s.digest, 'hex') from s where s.signed_at is not null
  on conflict do nothing returning signed_at, digest),
held as materialized (
  select q.action_id, q.installation_id, q.repo_id, q.pr_number, q.challenge_id, q.action_type, q.attempts,
         q.claim_token as token, s.worker_id, s.outcome, s.failure_code, s.failure_message, s.retry_after_s,
         s.pause_installation_s, s.comment_id, s.delays, q.cancel_reason,
         case when s.outcome = 'SUCCEEDED' then 'DONE'
              when s.outcome = 'FAILED' then 'FAILED'
              when q.cancel_reason is not null then 'CANCELED'   -- overtaken while it was held
              when s.outcome = 'RETRYABLE_FAILURE' and q.attempts >= %(max_attempts)s then 'FAILED'
              else 'PENDING' end as status
    from s join bot_action_queue q on q.action_id = s.action_id
   where q.action_id = any(array(select action_id from s))
     and q.worker_id = s.worker_id and q.claim_token = coalesce(s.claim_token, q.claim_token)
     and (s.signed_at is null or not %(first_try)s::boolean or exists (
       select from fresh f where f.signed_at = s.signed_at and f.digest = decode(s.digest, 'hex')))
     for update of q),
ended as (
  delete from bot_action_queue q using held h
   where q.action_id = any(array(select action_id from held where status <> 'PENDING')) and q.action_id = h.action_id),
back as (
  update bot_action_queue q
     set attempts = q.attempts - case when h.outcome = 'RELEASED' then 1 else 0 end,
         run_at = now() + make_interval(secs => case
           when h.outcome = 'RELEASED' then 0
           else coalesce(h.retry_after_s, h.delays[least(h.attempts, array_length(h.delays, 1))]) end),
         worker_id = null, claim_token = null, last_outcome = h.outcome, last_token = h.token,
         last_worker_id = h.worker_id, failure_code = h.failure_code, failure_message = h.failure_message
    from held h
   where q.action_id = any(array(select action_id from held where status = 'PENDING')) and q.action_id = h.action_id),
done as (
  update bot_actions a
     set settled = h.status, settled_at = now(), attempts = h.attempts, worker_id = h.worker_id,
         claim_token = h.token, outcome = h.outcome,
         failure_code = case when h.status = 'CANCELED' then h.cancel_reason else h.failure_code end,
         failure_message = h.failure_message,
         comment_id = coalesce(h.comment_id, a.comment_id)
    from held h
   where a.id = any(array(select action_id from held where status <> 'PENDING')) and a.id = h.action_id),
-- Said but not finished (a rate limit between the comment and the close): the next claim must find that comment.
said as (
  update bot_actions a set comment_id = h.comment_id
    from held h
   where a.id = any(array(select action_id from held where status = 'PENDING' and comment_id is not null))
     and a.id = h.action_id),
-- Invariant 1: the clock starts when the gate comment is known to be posted.
noticed as (
  update pr_challenges c
     set deadline_at = case when c.status = 'PENDING' and c.deadline_at is null
                            then now() + make_interval(secs => c.window_s) else c.deadline_at end,
         gate_comment_id = coalesce(h.comment_id, c.gate_comment_id), updated_at = now()
    from held h
   where c.id = any(array(select challenge_id from held where status = 'DONE' and action_type = 'UPSERT_PR_COMMENT'))
     and c.id = h.challenge_id),
-- … and where it can never be posted, nobody is closed.
unnoticed as (
  update pr_challenges c
     set status = 'CANCELED', reason = 'NOTICE_FAILED', updated_at = now()
    from held h
   where c.id = any(array(select challenge_id from held where status = 'FAILED' and action_type = 'UPSERT_PR_COMMENT'))
     and c.id = h.challenge_id and c.status = 'PENDING' and c.deadline_at is null
  returning c.id, c.installation_id, c.repo_id, c.pr_number),
doomed as materialized (
  select x.action_id, k.reason
    from (select u.repo_id, u.pr_number, u.id as challenge_id, null::text as action_type, 'NOTICE_FAILED' as reason
            from unnoticed u
          union all
          select h.repo_id, h.pr_number, h.challenge_id, 'REOPEN_PR_WITH_COMMENT', 'NOT_CLOSED_BY_US' from held h
           where h.status = 'DONE' and h.action_type = 'CLOSE_PR_WITH_COMMENT' and h.failure_code = 'ALREADY_CLOSED') k
   cross join lateral (
     select q.action_id from bot_action_queue q
      where q.repo_id = k.repo_id and q.pr_number = k.pr_number and q.challenge_id = k.challenge_id
        and (k.action_type is null or q.action_type = k.action_type) limit 1000) x
   where x.action_id <> all(array(select action_id from held))),
void as (
  delete from bot_action_queue q
   where q.action_id = any(array(select action_id from doomed)) and (q.claim_token is null or q.run_at <= now())
  returning q.action_id, q.attempts, (select min(d.reason) from doomed d where d.action_id = q.action_id) as reason),
canceled as (
  update bot_actions a
     set settled = 'CANCELED', settled_at = now(), failure_code = v.reason, attempts = v.attempts
    from void v where a.id = any(array(select action_id from void)) and a.id = v.action_id),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), now(), 'challenge.canceled', 'centralbot', u.installation_id, u.repo_id, u.pr_number, u.id,
         jsonb_build_object('why', 'NOTICE_FAILED', 'was', 'PENDING')
    from unnoticed u),
paused as (
  update github_installations i
     set paused_until = greatest(i.paused_until, now() + make_interval(secs => p.pause_s))
    from (select installation_id, max(pause_installation_s) as pause_s from held
           where pause_installation_s is not null group by installation_id) p
   where i.installation_id = p.installation_id)
select s.action_id, h.status, %(first_try)s::boolean and s.signed_at is not null and f.digest is null as replayed
  from s
  left join held h on h.action_id = s.action_id
  left join fresh f on f.signed_at = s.signed_at and f.digest = decode(s.digest, 'hex')
