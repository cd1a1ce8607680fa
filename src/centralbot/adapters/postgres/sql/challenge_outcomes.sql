-- How many enforced challenges of a repository since a time are where; first_id bounds the range of the index that is read.
select c.status, count(*)
  from pr_challenges c
 where c.repo_id = %(repo_id)s and c.id >= %(first_id)s and c.created_at >= %(since)s and c.mode = 'enforce'
 group by c.status
