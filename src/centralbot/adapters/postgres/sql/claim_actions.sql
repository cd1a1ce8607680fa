-- Lease actions to a worker: one to each installation that has claimable work, then the rest, up to the limit.
-- Installations ("lanes") are walked by index from a given place round the circle, so that none is always first and
-- none is read that is not needed. Claimable: due or lease out, attempts left, not overtaken, a type the worker takes, oldest
-- unsettled of its pull request, installation active and not paused. Skips what other claims have locked.
with recursive
fresh as (
  insert into internal_request_replays (signed_at, digest)
  select %(signed_at)s::bigint, %(digest)s::bytea where %(signed_at)s::bigint is not null
  on conflict do nothing returning 1),
-- A later try of ours may meet the signature that its first one recorded.
allowed as (
  select %(signed_at)s::bigint is null or not %(first_try)s::boolean or exists (select from fresh) as ok),
up(installation_id) as (
  (select q.installation_id from bot_action_queue q
    where q.installation_id > %(after)s order by q.installation_id limit 1)
  union all
  select (select q.installation_id from bot_action_queue q
           where q.installation_id > u.installation_id order by q.installation_id limit 1)
    from up u where u.installation_id is not null),
down(installation_id) as (
  (select q.installation_id from bot_action_queue q
    where q.installation_id <= %(after)s order by q.installation_id limit 1)
  union all
  select (select q.installation_id from bot_action_queue q
           where q.installation_id > d.installation_id and q.installation_id <= %(after)s
           order by q.installation_id limit 1)
    from down d where d.installation_id is not null),
lanes as (
  select l.installation_id, %(per_installation)s::int - 1 - f.in_flight as more
    from (select installation_id from up union all select installation_id from down) l
    cross join lateral (
      select x.status, x.paused_until from github_installations x
       where x.installation_id = l.installation_id limit 1) i
    cross join lateral (
      select case when %(per_installation)s::int >= 1000000 then 0 else (
        select count(*)::int from bot_action_queue b
         where b.installation_id = l.installation_id and b.claim_token is not null and b.run_at > now()) end) f(in_flight)
   where (select ok from allowed) and i.status = 'ACTIVE' and (i.paused_until is null or i.paused_until <= now())
     and f.in_flight < %(per_installation)s::int),
first as materialized (
  select h.action_id, l.installation_id, l.more
    from lanes l
    cross join lateral (
      select q.action_id from bot_action_queue q
       where q.installation_id = l.installation_id and q.run_at <= now()
         and q.attempts < %(max_attempts)s and q.action_type = any(%(types)s::text[]) and q.cancel_reason is null
         and not exists (select from bot_action_queue o
                          where o.repo_id = q.repo_id and o.pr_number = q.pr_number and o.seq < q.seq)
       order by q.run_at, q.seq limit 1 for update of q skip locked) h
   limit %(limit)s),
rest as materialized (
  select h.action_id
    from first f
    cross join lateral (
      select q.action_id from bot_action_queue q
       where q.installation_id = f.installation_id and q.run_at <= now()
         and q.attempts < %(max_attempts)s and q.action_type = any(%(types)s::text[]) and q.cancel_reason is null
         and not exists (select from bot_action_queue o
                          where o.repo_id = q.repo_id and o.pr_number = q.pr_number and o.seq < q.seq)
         and q.action_id <> all(array(select action_id from first))
       order by q.run_at, q.seq limit least(f.more, %(limit)s) for update of q skip locked) h
   where f.more > 0
   limit (select %(limit)s - count(*) from first)),
leased as (
  update bot_action_queue q
     set attempts = q.attempts + 1, worker_id = %(worker_id)s, claim_token = gen_random_uuid(),
         run_at = now() + make_interval(secs => %(lease_s)s)
   where q.action_id = any(array(select action_id from first union all select action_id from rest))
  returning q.action_id, q.seq, q.attempts, q.claim_token, q.run_at)
select null::uuid as id, null::bigint as seq, null::text as action_type, null::bigint as installation_id,
       null::bigint as repo_id, null::text as repo_full_name, null::bigint as pr_number, null::uuid as challenge_id,
       null::text as marker, null::text as markdown, null::text as reason, null::bigint as comment_id,
       null::timestamptz as created_at, null::smallint as attempts, null::uuid as claim_token,
       null::timestamptz as run_at
  from allowed where not ok
union all
select a.id, l.seq, a.action_type, a.installation_id, a.repo_id,
       coalesce((select r.full_name from github_installation_repositories r
                  where r.installation_id = a.installation_id and r.repo_id = a.repo_id), a.repo_full_name),
       a.pr_number, a.challenge_id, a.marker, a.markdown, a.reason, coalesce(a.comment_id,
         case when a.action_type = 'UPSERT_PR_COMMENT' then
           (select c.gate_comment_id from pr_challenges c where c.id = a.challenge_id) end),
       a.created_at, l.attempts, l.claim_token, l.run_at
  from leased l join bot_actions a on a.id = l.action_id
 where a.id = any(array(select action_id from leased))
