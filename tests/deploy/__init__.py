"""What deploy/ holds, run for real: alerts and dashboard in a Prometheus, the containers' commands as processes."""
