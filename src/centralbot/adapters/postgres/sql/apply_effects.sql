-- Write the effects of a batch of decisions at once: signatures and deliveries taken, challenges created and changed
-- (only while they have the status expected), actions canceled, superseded and queued, audit rows.
-- Returns how many challenges were really changed: fewer than asked means that somebody else was first.
with
used as (
  insert into internal_request_replays (signed_at, digest)
  select t.signed_at, decode(t.digest, 'hex') from json_to_recordset(%(uses)s::json) as t(signed_at bigint, digest text)
  on conflict do nothing),
taken as (
  insert into github_event_deliveries
    (delivery_id, event_name, installation_id, repo_id, pr_number, action, event_at, status, reason, challenge_id)
  select t.delivery_id, t.event_name, t.installation_id, t.repo_id, t.pr_number, t.action, t.event_at, t.status,
         t.reason, t.challenge_id
    from json_to_recordset(%(deliveries)s::json) as t(
      delivery_id text, event_name text, installation_id bigint, repo_id bigint, pr_number bigint, action text,
      event_at timestamptz, status text, reason text, challenge_id uuid)),
wanted as materialized (
  select * from json_to_recordset(%(changed)s::json) as t(
    expected text, id uuid, installation_id bigint, status text, reason text, head_sha text, event_at timestamptz,
    window_s integer, deadline_at timestamptz, gate_comment_id bigint, updated_at timestamptz)),
changed as (
  update pr_challenges c
     set installation_id = w.installation_id, status = w.status, reason = w.reason, head_sha = w.head_sha,
         event_at = w.event_at, window_s = w.window_s, deadline_at = w.deadline_at,
         gate_comment_id = w.gate_comment_id, updated_at = w.updated_at
    from wanted w
   where c.id = any(array(select id from wanted)) and c.id = w.id and c.status = w.expected
  returning c.id),
created as (
  insert into pr_challenges select * from json_populate_recordset(null::pr_challenges, %(created)s::json)),
queued as materialized (
  select * from json_to_recordset(%(actions)s::json) as t(
    id uuid, action_type text, installation_id bigint, repo_id bigint, repo_full_name text, pr_number bigint,
    challenge_id uuid, marker text, markdown text, reason text, comment_id bigint, delay_s float8)),
doomed as materialized (
  select x.action_id, k.reason
    from (select t.repo_id, t.pr_number, t.challenge_id, null::text as marker, t.reason
            from json_to_recordset(%(cancels)s::json) as t(
              repo_id bigint, pr_number bigint, challenge_id uuid, reason text)
          union all
          select n.repo_id, n.pr_number, null, n.marker, 'SUPERSEDED' from queued n) k
   cross join lateral (
     select q.action_id from bot_action_queue q
      where q.repo_id = k.repo_id and q.pr_number = k.pr_number
        and (q.challenge_id = k.challenge_id or q.marker = k.marker) limit 1000) x),
gone as (
  delete from bot_action_queue q
   where q.action_id = any(array(select action_id from doomed)) and (q.claim_token is null or q.run_at <= now())
  returning q.action_id, q.attempts, (select min(d.reason) from doomed d where d.action_id = q.action_id) as reason),
canceled as (
  update bot_actions a
     set settled = 'CANCELED', settled_at = now(), failure_code = g.reason, attempts = g.attempts
    from gone g
   where a.id = any(array(select action_id from gone)) and a.id = g.action_id),
-- What a worker holds ends when it comes back unfinished.
overtaken as (
  update bot_action_queue q
     set cancel_reason = (select min(d.reason) from doomed d where d.action_id = q.action_id)
   where q.action_id = any(array(select action_id from doomed)) and q.claim_token is not null and q.run_at > now()
     and q.cancel_reason is null),
written as (
  insert into bot_actions
    (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, marker, markdown, reason,
     comment_id)
  select id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, marker, markdown, reason,
         comment_id
    from queued),
enqueued as (
  insert into bot_action_queue
    (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, marker, run_at)
  select id, installation_id, repo_id, pr_number, challenge_id, action_type, marker,
         now() + make_interval(secs => delay_s)
    from queued),
proven as (
  insert into challenge_proofs (id, challenge_id, kind, evidence)
  select t.id, t.challenge_id, t.kind, t.evidence from json_to_recordset(%(proofs)s::json)
    as t(id uuid, challenge_id uuid, kind text, evidence jsonb)
  on conflict (challenge_id, kind) do nothing),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select t.id, t.at, t.event, t.actor, t.installation_id, t.repo_id, t.pr_number, t.challenge_id, t.detail
    from json_to_recordset(%(audit)s::json) as t(
      id uuid, at timestamptz, event text, actor text, installation_id bigint, repo_id bigint, pr_number bigint,
      challenge_id uuid, detail jsonb))
select count(*) from changed
