"""The domain model: values without wire formats, stores or clocks."""
