-- What happened to a challenge, oldest first.
select id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail
  from audit_events where repo_id = %(repo_id)s and challenge_id = %(challenge_id)s order by id
