-- Cancel queued actions whose installation is deleted or whose repository left it (queued while that happened).
with head as materialized (
  select q.action_id, q.attempts,
         case when i.status = 'DELETED' then 'INSTALLATION_DELETED' else 'REPOSITORY_REMOVED' end as reason
    from bot_action_queue q
    join github_installations i on i.installation_id = q.installation_id
    left join github_installation_repositories r
      on r.installation_id = q.installation_id and r.repo_id = q.repo_id
   where (i.status = 'DELETED' or not coalesce(r.active, true)) and (q.claim_token is null or q.run_at <= now())
   limit %(limit)s for update of q skip locked),
gone as (delete from bot_action_queue q where q.action_id = any(array(select action_id from head)))
update bot_actions a
   set settled = 'CANCELED', settled_at = now(), failure_code = h.reason, attempts = h.attempts
  from head h where a.id = any(array(select action_id from head)) and a.id = h.action_id
returning a.id
