-- A repository's whitelist, by login.
select github_user_id, github_login, added_at
  from repo_whitelist where repo_id = %(repo_id)s order by lower(github_login), github_user_id
