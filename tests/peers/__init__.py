"""Real instrumentations and a real gateway: what each put on the wire, against what is read from its telemetry."""
