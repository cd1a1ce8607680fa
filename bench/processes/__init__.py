"""What the benchmark runs beside centralbot's own processes: a GitHub, a polling worker, a client, a peer, a sweep."""
