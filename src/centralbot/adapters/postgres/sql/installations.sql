-- Every installation ever heard of.
select installation_id, status, changed_at, account_login, account_type, account_id, repository_selection
  from github_installations
 order by installation_id
