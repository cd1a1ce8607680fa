-- What is waiting: by status, with the ages of the oldest, and due challenges; the dead of the last days.
select (select count(*) from bot_action_queue where claim_token is null),
       (select count(*) from bot_action_queue where claim_token is not null),
       (select extract(epoch from now() - min(a.created_at)) from bot_action_queue q
         cross join lateral (select x.created_at from bot_actions x where x.id = q.action_id limit 1) a
         where q.claim_token is null),
       (select extract(epoch from now() - min(a.created_at)) from bot_action_queue q
         cross join lateral (select x.created_at from bot_actions x where x.id = q.action_id limit 1) a
         where q.claim_token is not null),
       (select count(*) from pr_challenges where status = 'PENDING' and deadline_at <= now())
