"""What the measurements of the gateway are made of: pinned processes, upstreams, wrk, peers."""
