"""The audit (审计): who did what, as a journal that only grows; read, verified, exported."""
