-- An operator says that a repository is in another installation: it leaves the one where it is active.
update github_installation_repositories set active = false, active_since = null
 where repo_id = %(repo_id)s and active and installation_id <> %(installation_id)s
