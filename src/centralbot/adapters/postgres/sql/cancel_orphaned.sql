-- Cancel queued actions whose installation is deleted or whose repository left it (queued while that happened), and the
-- closes of a repository that was switched off since. A challenge whose comment goes so was made while its repository
-- left, too: nobody would ever hear of it. A queue has many actions in few places: each place is looked up once.
with places as materialized (select distinct installation_id, repo_id from bot_action_queue),
gone_places as materialized (
  select p.installation_id, p.repo_id,
         case when i.status = 'DELETED' then 'INSTALLATION_DELETED'
              when not coalesce(r.active, true) then 'REPOSITORY_REMOVED'
              else 'MODE_OFF' end as reason
    from places p
    join github_installations i on i.installation_id = p.installation_id
    left join github_installation_repositories r
      on r.installation_id = p.installation_id and r.repo_id = p.repo_id
    left join repo_configs f on f.repo_id = p.repo_id and f.mode = 'off'
   where i.status = 'DELETED' or not coalesce(r.active, true) or f.repo_id is not null),
head as materialized (
  select q.action_id, q.attempts, q.challenge_id, q.action_type, p.reason
    from gone_places p join bot_action_queue q on q.repo_id = p.repo_id and q.installation_id = p.installation_id
   where (q.claim_token is null or q.run_at <= now())
     and (p.reason <> 'MODE_OFF' or q.action_type = 'CLOSE_PR_WITH_COMMENT')
   limit %(limit)s for update of q skip locked),
gone as (delete from bot_action_queue q where q.action_id = any(array(select action_id from head))),
-- The status is compared with no constant: a plan made on empty tables would read all active challenges by their index.
unnoticed as (
  update pr_challenges c set status = 'CANCELED', reason = h.reason, updated_at = now()
    from head h
   where c.id = any(array(select challenge_id from head where action_type = 'UPSERT_PR_COMMENT'))
     and c.id = h.challenge_id and c.status = (select 'PENDING') and c.deadline_at is null
  returning c.id, c.installation_id, c.repo_id, c.pr_number, c.reason),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), now(), 'challenge.canceled', 'centralbot', u.installation_id, u.repo_id, u.pr_number, u.id,
         jsonb_build_object('why', u.reason, 'was', 'PENDING')
    from unnoticed u)
update bot_actions a
   set settled = 'CANCELED', settled_at = now(), failure_code = h.reason, attempts = h.attempts
  from head h where a.id = any(array(select action_id from head)) and a.id = h.action_id
returning a.id
