"""What the trade talks about, free of wire formats, stores and clocks."""
