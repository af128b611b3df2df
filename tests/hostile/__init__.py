"""Hostile telemetry: whatever a receiver answers with 200 and an exporter takes, from a seed.

`generated` gives `Item`s, each through one door. Where an item holds calls that are valid, each has a marker in its
answer that stands nowhere else, so that a test can say of every single call what became of it.

    HOSTILE_SEED=7 HOSTILE_ITEMS=20000 pytest tests/hostile --timeout=0
"""
