-- Lock a challenge; whoever decides about it waits here.
select repo_id, pr_number from pr_challenges where id = %(challenge_id)s for update
