-- How many enforced challenges of a repository since a time are where; its keys say which challenges those are.
select c.status, count(*)
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges c where c.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.created_at >= %(since)s and c.mode = 'enforce'
 group by c.status
