-- What decisions write, in parts. The writer (writer.py) puts those together that a batch of decisions needs: one statement,
-- one round trip, whatever was decided. Rows were locked when they were read; what may have changed all the same is
-- guarded by the state that was decided upon, and "changed" says how many were really changed.

-- name: used
-- Signatures that served.
insert into internal_request_replays (signed_at, digest)
select t.signed_at, decode(t.digest, 'hex') from json_to_recordset(%(used)s::json) as t(signed_at bigint, digest text)
on conflict do nothing

-- name: taken
-- Deliveries that were taken, and what came of each.
insert into github_event_deliveries
  (delivery_id, event_name, installation_id, repo_id, pr_number, action, event_at, status, reason, challenge_id)
select t.delivery_id, t.event_name, t.installation_id, t.repo_id, t.pr_number, t.action, t.event_at, t.status,
       t.reason, t.challenge_id
  from json_to_recordset(%(taken)s::json) as t(
    delivery_id text, event_name text, installation_id bigint, repo_id bigint, pr_number bigint, action text,
    event_at timestamptz, status text, reason text, challenge_id uuid)

-- name: created
-- New challenges.
insert into pr_challenges select * from json_populate_recordset(null::pr_challenges, %(created)s::json)

-- name: wanted
-- Challenges as they shall be.
select * from json_to_recordset(%(wanted)s::json) as t(
  expected text, id uuid, installation_id bigint, status text, reason text, head_sha text, event_at timestamptz,
  window_s integer, deadline_at timestamptz, gate_comment_id bigint, updated_at timestamptz)

-- name: changed
-- The challenges that were changed: those that still have the status that was decided upon.
update pr_challenges c
   set installation_id = w.installation_id, status = w.status, reason = w.reason, head_sha = w.head_sha,
       event_at = w.event_at, window_s = w.window_s, deadline_at = w.deadline_at,
       gate_comment_id = w.gate_comment_id, updated_at = w.updated_at
  from wanted w
 where c.id = any(array(select id from wanted)) and c.id = w.id and c.status = w.expected
returning c.id

-- name: put
-- Queued actions as they shall be; settled_at says that one leaves the queue.
select * from json_to_recordset(%(put)s::json) as t(
  id uuid, status text, run_at timestamptz, attempts smallint, worker_id text, claim_token uuid, last_outcome text,
  last_token uuid, last_worker_id text, failure_code text, failure_message text, settled_at timestamptz,
  cancel_reason text, comment_id bigint)

-- name: kept
-- Those that stay in the queue.
update bot_action_queue q
   set run_at = p.run_at, attempts = p.attempts, worker_id = p.worker_id, claim_token = p.claim_token,
       last_outcome = p.last_outcome, last_token = p.last_token, last_worker_id = p.last_worker_id,
       failure_code = p.failure_code, failure_message = p.failure_message, cancel_reason = p.cancel_reason
  from put p
 where q.action_id = any(array(select id from put where settled_at is null)) and q.action_id = p.id

-- name: ended
-- Those that leave it.
delete from bot_action_queue q where q.action_id = any(array(select id from put where settled_at is not null))

-- name: settled
-- What became of them.
update bot_actions a
   set settled = p.status, settled_at = p.settled_at, attempts = p.attempts, worker_id = p.last_worker_id,
       claim_token = p.last_token, outcome = p.last_outcome, failure_code = p.failure_code,
       failure_message = p.failure_message, comment_id = coalesce(p.comment_id, a.comment_id)
  from put p
 where a.id = any(array(select id from put where settled_at is not null)) and a.id = p.id

-- name: learned
-- Said but not finished (a rate limit between the comment and the close): the next claim must find that comment.
update bot_actions a set comment_id = p.comment_id
  from put p
 where a.id = any(array(select id from put where settled_at is null and comment_id is not null)) and a.id = p.id

-- name: queued
-- New actions.
select * from json_to_recordset(%(queued)s::json) as t(
  id uuid, action_type text, installation_id bigint, repo_id bigint, repo_full_name text, pr_number bigint,
  challenge_id uuid, supersede_key text, payload json, created_at timestamptz, run_at timestamptz, attempts smallint,
  failure_code text, failure_message text, revived boolean)

-- name: written
-- Their payloads; written once.
insert into bot_actions
  (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, payload, created_at)
select id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, payload, created_at
  from queued where not revived

-- name: revived
-- Dead actions that an operator brought back, perhaps for a renewed challenge.
update bot_actions a
   set settled = null, settled_at = null, attempts = 0, worker_id = null, claim_token = null, outcome = null,
       challenge_id = n.challenge_id, payload = n.payload, comment_id = null
  from queued n
 where a.id = any(array(select id from queued where revived)) and a.id = n.id

-- name: enqueued
-- Their places in the queue.
insert into bot_action_queue
  (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, supersede_key, run_at, attempts,
   failure_code, failure_message)
select id, installation_id, repo_id, pr_number, challenge_id, action_type, supersede_key, run_at, attempts,
       failure_code, failure_message
  from queued

-- name: proven
-- Proofs that were passed.
insert into challenge_proofs (id, challenge_id, kind, evidence)
select t.id, t.challenge_id, t.kind, t.evidence
  from json_to_recordset(%(proven)s::json) as t(id uuid, challenge_id uuid, kind text, evidence jsonb)
on conflict (challenge_id, kind) do nothing

-- name: paused
-- Installations that shall rest.
update github_installations i set paused_until = p.paused_until
  from json_to_recordset(%(paused)s::json) as p(installation_id bigint, paused_until timestamptz)
 where i.installation_id = p.installation_id

-- name: audited
-- Who did what.
insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
select t.id, t.at, t.event, t.actor, t.installation_id, t.repo_id, t.pr_number, t.challenge_id, t.detail
  from json_to_recordset(%(audited)s::json) as t(
    id uuid, at timestamptz, event text, actor text, installation_id bigint, repo_id bigint, pr_number bigint,
    challenge_id uuid, detail jsonb)

-- name: time_out
-- What nearly every due challenge becomes: its new status, one audit row and at most one action, which no other action of
-- its pull request precedes under this key. The parts above write the same from three documents, and taking those apart
-- is most of their work: a sweep has thousands, so here each challenge is one short row, and what they have in
-- common goes along once.
-- Returns how many challenges were really changed: fewer than asked means that somebody else was first.
with wanted as materialized (
  select * from json_to_recordset(%(rows)s::json) as t(
    id uuid, installation_id bigint, action_id uuid, repo_full_name text, supersede_key text, payload json,
    run_at timestamptz, audit_id uuid, detail jsonb)),
changed as (
  update pr_challenges c
     set installation_id = w.installation_id, status = %(status)s, reason = %(reason)s, updated_at = %(now)s
    from wanted w
   where c.id = any(array(select id from wanted)) and c.id = w.id and c.status = %(expected)s
  returning c.repo_id, c.pr_number, c.deadline_at, w.*),
written as (
  insert into bot_actions
    (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, payload, created_at)
  select action_id, %(action_type)s, installation_id, repo_id, repo_full_name, pr_number, id, payload, %(now)s
    from changed where action_id is not null order by deadline_at),
enqueued as (
  insert into bot_action_queue
    (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, supersede_key, run_at)
  select action_id, installation_id, repo_id, pr_number, id, %(action_type)s, supersede_key, run_at
    from changed where action_id is not null order by deadline_at),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select audit_id, %(now)s, %(event)s, %(actor)s, installation_id, repo_id, pr_number, id, detail from changed)
select count(*) as changed from changed
