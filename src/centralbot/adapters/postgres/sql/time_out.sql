-- Write what nearly every due challenge becomes: its new status, one audit row and at most one action, which no other
-- action of its pull request precedes under this marker. apply_effects writes the same from three documents, and taking
-- those apart is most of its work: a sweep has thousands, so here each challenge is one short row, and what they have in
-- common goes along once.
-- Returns how many challenges were really changed: fewer than asked means that somebody else was first.
with wanted as materialized (
  select * from json_to_recordset(%(rows)s::json) as t(
    id uuid, installation_id bigint, action_id uuid, repo_full_name text, marker text, markdown text, delay_s float8,
    audit_id uuid, detail jsonb)),
changed as (
  update pr_challenges c
     set installation_id = w.installation_id, status = %(status)s, reason = %(reason)s, updated_at = %(now)s
    from wanted w
   where c.id = any(array(select id from wanted)) and c.id = w.id and c.status = %(expected)s
  returning c.repo_id, c.pr_number, c.deadline_at, w.*),
written as (
  insert into bot_actions
    (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, marker, markdown, reason)
  select action_id, %(action_type)s, installation_id, repo_id, repo_full_name, pr_number, id, marker, markdown,
         %(action_reason)s
    from changed where action_id is not null order by deadline_at),
enqueued as (
  insert into bot_action_queue
    (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, marker, run_at)
  select action_id, installation_id, repo_id, pr_number, id, %(action_type)s, marker,
         now() + make_interval(secs => delay_s)
    from changed where action_id is not null order by deadline_at),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select audit_id, %(now)s, %(event)s, %(actor)s, installation_id, repo_id, pr_number, id, detail from changed)
select count(*) from changed
