-- An action is an envelope and a payload of its type: one document, so that a type more needs no column and no check more.
drop view bot_actions_now;

alter table bot_actions add column payload json check (json_typeof(payload) = 'object');
update bot_actions set payload = json_build_object('marker', marker, 'markdown', markdown, 'reason', reason);
alter table bot_actions
  alter column payload set not null,
  drop column marker,
  drop column markdown,
  drop column reason,
  drop constraint bot_actions_action_type_check,
  add constraint bot_actions_action_type_check check (action_type <> '');

-- A newer action of a pull request with the same key replaces an unexecuted older one.
alter table bot_action_queue rename column marker to supersede_key;
alter table bot_action_queue alter column supersede_key drop not null;

-- Both tables as one, for operators.
create view bot_actions_now as
  select a.id, q.seq, a.action_type, a.installation_id, a.repo_id, a.repo_full_name, a.pr_number, a.challenge_id,
         a.payload, a.comment_id, a.created_at, coalesce(q.run_at, a.settled_at) as run_at,
         case when a.settled is not null then a.settled
              when q.claim_token is not null then 'CLAIMED' else 'PENDING' end as status,
         coalesce(q.attempts, a.attempts) as attempts, coalesce(q.worker_id, a.worker_id) as worker_id,
         coalesce(q.claim_token, a.claim_token) as claim_token,
         coalesce(q.last_outcome, a.outcome) as last_outcome,
         coalesce(q.failure_code, a.failure_code) as failure_code,
         coalesce(q.failure_message, a.failure_message) as failure_message, a.settled_at
    from bot_actions a left join bot_action_queue q on q.action_id = a.id and a.settled is null;
