-- Challenges: what deciding about one needs, and reading them.

-- name: lock_challenge
-- Lock a challenge; whoever decides about it waits here.
select c.repo_id, c.pr_number from pr_challenges c where c.id = %(challenge_id)s for update

-- name: challenge_facts
-- A challenge, all others of its pull request (other), and what else a decision about it needs; who decides holds the locks
-- of lock_challenge and lock_outstanding. "here" is the installation that its repository is in by now, if any.
select clock_timestamp() as now, c.id <> %(challenge_id)s as other,
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id)
         as whitelisted,
       (select f.mode from repo_configs f where f.repo_id = c.repo_id) as repository_mode,
       r.installation_id as here, r.full_name, c.close_state, {{columns.settled}}, {{columns.envelope}}, {{columns.challenge}}
  from pr_challenges o
  join pr_challenge_keys k on k.repo_id = o.repo_id and k.pr_number = o.pr_number
  join pr_challenges c on c.id = k.challenge_id
  left join github_installation_repositories r on r.repo_id = c.repo_id and r.active
  left join lateral (
    select x.* from bot_actions x
     where c.id = %(challenge_id)s and x.challenge_id = c.id and x.action_type = {{type.close}}
     order by x.id desc limit 1) a on true
  left join bot_action_queue q on q.action_id = a.id and a.settled is null
 where o.id = %(challenge_id)s

-- name: challenges_of_pull_request
-- All challenges of a pull request.
select {{columns.challenge}}
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges p where p.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.pr_number = %(pr_number)s

-- name: get_challenge
-- One challenge.
select {{columns.challenge}} from pr_challenges c where c.id = %(id)s

-- name: search_challenges
-- Challenges of all repositories, newest first, a page at a time.
select {{columns.challenge}} from pr_challenges c
 where c.id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   and (%(status)s::text is null or c.status = %(status)s)
 order by c.id desc limit %(limit)s

-- name: search_challenges_of_repo
-- Challenges of one repository, newest first, a page at a time: its keys are sorted, then as many rows are read as the page
-- needs. Each row is a look-up in the order of the keys, which the limit relies on.
with known as materialized (
  select k.challenge_id as id from pr_challenge_keys k
   where k.repo_id = %(repo_id)s
     and k.challenge_id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   order by k.challenge_id desc),
page as materialized (
  select c.* from known k cross join lateral (
    select * from pr_challenges c
     where c.id = k.id and (%(status)s::text is null or c.status = %(status)s) limit 1) c
   limit %(limit)s)
select {{columns.challenge}} from page c order by c.id desc

-- name: lock_due
-- Lock due challenges, oldest deadline first, skipping what another sweeper holds; with where their repository is today,
-- its name and mode, and how many closes wait in it: those queued, and those that other sweepers are about to
-- queue (due before ours and not ours: in one snapshot they are either still due or queued). The rows are those that
-- were locked, not those of the statement's start.
with head as materialized (
  select h.* from pr_challenges h
   where h.status in ({{status.due}}) and h.deadline_at <= %(now)s
   order by h.deadline_at, h.id limit %(limit)s for update skip locked),
others as materialized (
  select p.repo_id, count(*)::int as closes
    from pr_challenges p
   where p.status in ({{status.due}}) and p.deadline_at <= (select max(deadline_at) from head)
     and (p.deadline_at, p.id) < (select deadline_at, id from head order by deadline_at desc, id desc limit 1)
     and not exists (select from head h where h.id = p.id)
   group by p.repo_id),
waiting as materialized (
  select h.repo_id, r.installation_id, r.full_name,
         (select f.mode from repo_configs f where f.repo_id = h.repo_id) as mode,
         (select count(*)::int from bot_action_queue q
           where q.repo_id = h.repo_id and q.action_type = {{type.close}}) + coalesce(o.closes, 0) as closes
    from (select distinct repo_id from head) h
    left join others o on o.repo_id = h.repo_id
    left join github_installation_repositories r on r.repo_id = h.repo_id and r.active)
select exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id)
         as whitelisted,
       n.mode as repository_mode, n.closes, n.installation_id as here, n.full_name, {{columns.challenge}}
  from head c join waiting n on n.repo_id = c.repo_id
 order by c.deadline_at

-- name: lock_removed_challenges
-- Lock challenges of repositories that left their installation, or of a whole installation (repo_id null), that this may
-- still cancel. By repository, so that the index of active challenges is probed: the cost follows what those
-- repositories have, not all that there ever was.
with places as materialized (
  select t.installation_id, t.repo_id
    from json_to_recordset(%(removed)s::json) as t(installation_id bigint, repo_id bigint) where t.repo_id is not null
  union
  select t.installation_id, r.repo_id
    from json_to_recordset(%(removed)s::json) as t(installation_id bigint, repo_id bigint)
    join github_installation_repositories r on r.installation_id = t.installation_id
   where t.repo_id is null)
select {{columns.challenge}}
  from places p cross join lateral (
    select x.* from pr_challenges x
     where x.repo_id = p.repo_id and x.status in ({{status.cancelable}}) and x.installation_id = p.installation_id
     limit 1000000 for update of x) c

-- name: note_challenge
-- Write an audit row about a challenge, unless enough of its kind were written. Returns a row where the challenge exists.
with challenge as (
  select id, installation_id, repo_id, pr_number from pr_challenges where id = %(challenge_id)s),
counted as (
  insert into challenge_notes as n (challenge_id, event)
  select c.id, %(event)s from challenge c
   where not exists (select from challenge_notes x
                      where x.challenge_id = c.id and x.event = %(event)s and x.written >= %(most)s)
  on conflict (challenge_id, event) do update set written = n.written + 1 where n.written < %(most)s
  returning n.challenge_id),
noted as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), clock_timestamp(), %(event)s, %(actor)s, c.installation_id, c.repo_id, c.pr_number, c.id,
         %(detail)s::jsonb
    from counted k join challenge c on c.id = k.challenge_id)
select id from challenge

-- name: challenge_history
-- What happened to a challenge, oldest first.
select id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail from audit_events
 where repo_id = %(repo_id)s and id >= %(first_id)s and challenge_id = %(challenge_id)s order by id

-- name: challenge_proofs
-- The proofs that were passed for a challenge, oldest first.
select kind, evidence, passed_at from challenge_proofs where challenge_id = %(challenge_id)s order by passed_at, id

-- name: challenge_outcomes
-- How many challenges of one mode of a repository since a time are where; its keys say which challenges those are.
select c.status, count(*) as count
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges c where c.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.created_at >= %(since)s and c.mode = %(mode)s
 group by c.status

-- name: shadow_groups
-- The challenges of one mode of a repository since a time, counted by what a report looks at; its keys say which those are.
select c.status, c.deadline_at is not null as asked,
       exists (select from github_event_deliveries d
                where d.repo_id = c.repo_id and d.pr_number = c.pr_number and d.action in ({{word.closing}})
                  and d.event_name = 'pull_request' and d.reason = %(merged)s) as merged,
       count(*) as count
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges c where c.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.created_at >= %(since)s and c.mode = %(mode)s
 group by 1, 2, 3
