"""The figures of a report, and how they are shown."""
