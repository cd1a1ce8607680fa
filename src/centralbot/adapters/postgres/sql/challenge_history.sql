-- What happened to a challenge, oldest first: a range of its repository's audit that begins about when it was made.
select id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail
  from audit_events where repo_id = %(repo_id)s and id >= %(first_id)s and challenge_id = %(challenge_id)s order by id
