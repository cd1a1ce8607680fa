-- The server's version.
show server_version
