"""Early warnings (预警): what SPs are warned of, counted and kept."""
