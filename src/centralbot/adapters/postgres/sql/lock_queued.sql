-- Lock what is about to be canceled: a claim that is under way commits first and is then seen, so that apply_effects
-- marks as overtaken what a worker holds by then. (In one statement it would still see the action as free.)
select q.action_id
  from json_to_recordset(%(cancels)s::json) as t(repo_id bigint, pr_number bigint, challenge_id uuid)
 cross join lateral (
   select x.action_id from bot_action_queue x
    where x.repo_id = t.repo_id and x.pr_number = t.pr_number and x.challenge_id = t.challenge_id
    order by x.seq limit 1000 for update of x) q
