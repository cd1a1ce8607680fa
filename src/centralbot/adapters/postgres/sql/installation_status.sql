-- The status of an installation.
select status from github_installations where installation_id = %(installation_id)s
