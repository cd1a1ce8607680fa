-- The outbox: what is claimed, settled, rescued. Each query locks and reads; the domain decides; write.sql writes.

-- name: lock_claimable
-- Lock actions that a worker may claim: one of each installation that has some, then the rest, up to the limit.
-- Installations ("lanes") are walked by index from a given place round the circle, so that none is always first and
-- none is read that is not needed. Read are those that are due or whose lease is out, of a type that the worker takes, and the
-- oldest unsettled of their pull request. Skips what other claims have locked.
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
  select l.installation_id, i.status, i.paused_until, %(per_installation)s::int - 1 - f.in_flight as more
    from (select installation_id from up union all select installation_id from down) l
    cross join lateral (
      select x.status, x.paused_until from github_installations x
       where x.installation_id = l.installation_id limit 1) i
    cross join lateral (
      select case when %(per_installation)s::int >= 1000000 then 0 else (
        select count(*)::int from bot_action_queue b
         where b.installation_id = l.installation_id and b.claim_token is not null and b.run_at > %(now)s) end
      ) f(in_flight)
   where (select ok from allowed) and i.status in ({{status.handing_out}})
     and (i.paused_until is null or i.paused_until <= %(now)s) and f.in_flight < %(per_installation)s::int),
first as materialized (
  select h.action_id, l.installation_id, l.status, l.paused_until, l.more
    from lanes l
    cross join lateral (
      select q.action_id from bot_action_queue q
       where q.installation_id = l.installation_id and q.run_at <= %(now)s
         and q.action_type = any(%(types)s::text[])
         and not exists (select from bot_action_queue o
                          where o.repo_id = q.repo_id and o.pr_number = q.pr_number and o.seq < q.seq)
       order by q.run_at, q.seq limit 1 for update of q skip locked) h
   limit %(limit)s),
rest as materialized (
  select h.action_id, f.status, f.paused_until
    from first f
    cross join lateral (
      select q.action_id from bot_action_queue q
       where q.installation_id = f.installation_id and q.run_at <= %(now)s
         and q.action_type = any(%(types)s::text[])
         and not exists (select from bot_action_queue o
                          where o.repo_id = q.repo_id and o.pr_number = q.pr_number and o.seq < q.seq)
         and q.action_id <> all(array(select action_id from first))
       order by q.run_at, q.seq limit least(f.more, %(limit)s) for update of q skip locked) h
   where f.more > 0
   limit (select %(limit)s - count(*) from first)),
chosen as materialized (
  select action_id, status, paused_until from first union all select action_id, status, paused_until from rest),
actions as (
  select h.status as lane_status, h.paused_until as lane_paused_until, {{columns.envelope}},
         {{columns.payload}},
         (select r.full_name from github_installation_repositories r
           where r.installation_id = a.installation_id and r.repo_id = a.repo_id) as full_name_now,
         (select f.config::text from repo_configs f where f.repo_id = c.repo_id) as config,
         exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id)
           as whitelisted,
         {{columns.challenge}}
    from chosen h
    join bot_action_queue q on q.action_id = h.action_id
    join bot_actions a on a.id = h.action_id
    left join lateral (select x.* from pr_challenges x where x.id = a.challenge_id limit 1) c on true
   where q.action_id = any(array(select action_id from chosen)))
select not w.ok as replayed, x.* from allowed w left join actions x on true order by x.q_seq

-- name: lock_results
-- Lock what a batch of results is about, each with its challenge; record the signatures that brought them. An action that
-- is queued no more comes with what it was settled as. Of an installation that shall pause, until when it does already.
with s as materialized (
  select * from json_to_recordset(%(results)s::json) as t(action_id uuid, pauses boolean, signed_at bigint, digest text)),
fresh as (
  insert into internal_request_replays (signed_at, digest)
  select s.signed_at, decode(s.digest, 'hex') from s where s.signed_at is not null
  on conflict do nothing returning signed_at, digest),
held as materialized (
  select q.* from bot_action_queue q where q.action_id = any(array(select action_id from s)) for update of q),
about as materialized (
  select c.* from pr_challenges c where c.id = any(array(select challenge_id from held)) for update of c),
pausing as materialized (
  select i.installation_id, i.paused_until from github_installations i
   where i.installation_id = any(array(select h.installation_id from held h join s on s.action_id = h.action_id
                                        where s.pauses))
   order by i.installation_id for no key update of i)
select s.action_id, %(first_try)s::boolean and s.signed_at is not null and f.digest is null as replayed,
       {{columns.envelope}}, {{columns.settled}}, p.paused_until, {{columns.challenge}}
  from s
  left join held q on q.action_id = s.action_id
  left join about c on c.id = q.challenge_id
  left join pausing p on p.installation_id = q.installation_id
  left join fresh f on f.signed_at = s.signed_at and f.digest = decode(s.digest, 'hex')
  left join lateral (select x.* from bot_actions x where q.action_id is null and x.id = s.action_id limit 1) a on true

-- name: lock_outstanding
-- Lock what pull requests have queued. After their challenges are locked, in a statement of its own: only so it sees what
-- was committed while we waited for that lock, and a claim that is under way commits first and is then seen.
select {{columns.envelope}}
  from json_to_recordset(%(places)s::json) as t(repo_id bigint, pr_number bigint)
 cross join lateral (
   select x.* from bot_action_queue x
    where x.repo_id = t.repo_id and x.pr_number = t.pr_number
    order by x.seq limit 1000 for update of x) q

-- name: lock_lost
-- Lock leases that ran out and what waits with its attempts used up, with the challenges of gate comments.
with lost as materialized (
  select x.* from bot_action_queue x
   where x.claim_token is not null and x.run_at <= %(now)s limit %(limit)s for update of x skip locked),
exhausted as materialized (
  select x.* from bot_action_queue x
   where x.claim_token is null and x.attempts >= %(max_attempts)s limit %(limit)s for update of x skip locked),
head as materialized (select * from lost union all select * from exhausted limit %(limit)s),
about as materialized (
  select c.* from pr_challenges c
   where c.id = any(array(select challenge_id from head where action_type in ({{type.notice}}))) for update of c)
select {{columns.envelope}}, {{columns.challenge}} from head q left join about c on c.id = q.challenge_id

-- name: lock_orphaned
-- Lock actions that nobody holds in places that the domain counts as left: the places of the queue, each looked up once,
-- against the combinations of installation, repository and mode for which it says so (unnest).
with places as materialized (select distinct installation_id, repo_id from bot_action_queue),
known as materialized (
  select p.installation_id, p.repo_id, i.status, r.active, f.mode
    from places p
    left join github_installations i on i.installation_id = p.installation_id
    left join github_installation_repositories r
      on r.installation_id = p.installation_id and r.repo_id = p.repo_id
    left join repo_configs f on f.repo_id = p.repo_id),
gone as materialized (
  select k.*, g.closes
    from known k
    join unnest(%(statuses)s::text[], %(active)s::boolean[], %(modes)s::text[], %(closes)s::boolean[])
      as g(status, active, mode, closes)
      on g.status is not distinct from k.status and g.active is not distinct from k.active
     and g.mode is not distinct from k.mode),
head as materialized (
  select x.*, g.status as place_status, g.active as place_active, g.mode as place_mode
    from gone g join bot_action_queue x on x.repo_id = g.repo_id and x.installation_id = g.installation_id
   where (x.claim_token is null or x.run_at <= %(now)s) and (x.action_type in ({{type.close}})) = g.closes
   limit %(limit)s for update of x skip locked),
about as materialized (
  select c.* from pr_challenges c
   where c.id = any(array(select challenge_id from head where action_type in ({{type.notice}}))) for update of c)
select q.place_status, q.place_active, q.place_mode, {{columns.envelope}}, {{columns.challenge}}
  from head q left join about c on c.id = q.challenge_id

-- name: lock_removed_actions
-- Lock what repositories have queued that left their installation, or a whole installation (repo_id null).
select {{columns.envelope}}
  from json_to_recordset(%(removed)s::json) as t(installation_id bigint, repo_id bigint)
  join bot_action_queue q on q.installation_id = t.installation_id and (t.repo_id is null or q.repo_id = t.repo_id)
 order by q.seq for update of q

-- name: lock_action
-- Lock an action; an operator decides about it.
select from bot_actions where id = %(id)s for update

-- name: get_action
-- One action as it is now.
select {{columns.settled}}, {{columns.envelope}}, {{columns.payload}}
  from bot_actions a left join bot_action_queue q on q.action_id = a.id and a.settled is null
 where a.id = %(id)s

-- name: search_actions
-- Actions as they are now, newest first, a page at a time.
select {{columns.settled}}, {{columns.envelope}}, {{columns.payload}}
  from bot_actions a left join bot_action_queue q on q.action_id = a.id and a.settled is null
 where (%(settled)s::text is null or a.settled = %(settled)s)
   and (%(held)s::boolean is null or a.settled is null and (q.claim_token is not null) = %(held)s)
   and (%(before)s::uuid is null or a.id < %(before)s)
 order by a.id desc limit %(limit)s

-- name: lock_old_actions
-- Lock old settled actions, and what is known of those that closed; ids are time-ordered: a range of the primary key.
select {{columns.settled}} from bot_actions a
 where a.id < %(before)s and a.settled is not null order by a.id limit %(limit)s for update of a skip locked

-- name: delete_actions
-- Delete actions; a challenge keeps what became of its close.
with kept as (
  update pr_challenges c set close_state = k.close_state
    from json_to_recordset(%(closes)s::json) as k(challenge_id uuid, close_state text)
   where c.id = any(%(challenges)s::uuid[]) and c.id = k.challenge_id)
delete from bot_actions where id = any(%(ids)s::uuid[])

-- name: backlog
-- What is waiting: by status, with the ages of the oldest, and due challenges.
select (select count(*) from bot_action_queue where claim_token is null) as pending,
       (select count(*) from bot_action_queue where claim_token is not null) as claimed,
       (select extract(epoch from now() - min(a.created_at)) from bot_action_queue q
         cross join lateral (select x.created_at from bot_actions x where x.id = q.action_id limit 1) a
         where q.claim_token is null) as oldest_pending_s,
       (select extract(epoch from now() - min(a.created_at)) from bot_action_queue q
         cross join lateral (select x.created_at from bot_actions x where x.id = q.action_id limit 1) a
         where q.claim_token is not null) as oldest_claimed_s,
       (select count(*) from pr_challenges
         where status in ({{status.due}}) and deadline_at <= now()) as due
