"""One session's rules as values: states, operations, binds, lock-outs, timers, reconnects."""
