-- What happened in a repository, newest first, a page at a time: a range of the index, read backwards.
select id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail
  from audit_events
 where repo_id = %(repo_id)s and id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 order by id desc limit %(limit)s
