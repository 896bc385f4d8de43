"""What every shell around the core needs: clocks, tasks, logging, records and metrics."""
