"""Where calls go: decided when they are accepted, and looked up in Label Studio when they are delivered."""
