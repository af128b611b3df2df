"""settle: the spans and log records of one call become that call, each call once."""
