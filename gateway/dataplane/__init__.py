"""The tick: many sessions' PDUs in, joined octets and exceptions out. No I/O, no clock."""
