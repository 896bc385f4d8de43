"""Pages of the policy: files, drafts, checks, replays, activation and history."""
