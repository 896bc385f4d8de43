"""Call detail records: what was decided for each message, by the hour, and read again."""
