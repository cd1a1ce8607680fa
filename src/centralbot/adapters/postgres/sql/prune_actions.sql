-- Delete old settled actions; ids are time-ordered, so this is a range of the primary key. A challenge whose author may
-- still pass keeps what became of its close.
with old as materialized (
  select a.id, a.challenge_id, a.action_type, a.settled, a.outcome, a.failure_code from bot_actions a
   where a.id < %(before)s and a.settled is not null order by a.id limit %(limit)s for update skip locked),
closes as materialized (
  select o.challenge_id, case when o.settled = 'DONE' then 'CLOSED' else 'UNKNOWN' end as close_state from old o
   where o.action_type = 'CLOSE_PR_WITH_COMMENT'
     and (o.settled = 'DONE' and o.failure_code is distinct from 'ALREADY_CLOSED'
          or o.settled = 'FAILED' and o.outcome is distinct from 'FAILED')),
kept as (
  update pr_challenges c set close_state = k.close_state
    from closes k
   where c.id = any(array(select challenge_id from closes)) and c.id = k.challenge_id
     and c.status = 'TIMED_OUT_CLOSED')
delete from bot_actions where id = any(array(select id from old))
