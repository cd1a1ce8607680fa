-- A repository's configuration.
select config::text from repo_configs where repo_id = %(repo_id)s
