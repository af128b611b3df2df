"""A Django site of one page."""
