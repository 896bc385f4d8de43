"""The asyncio shells around the data plane: sockets, binds, timers, releases."""
