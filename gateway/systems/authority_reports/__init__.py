"""Reports of prohibited content to the authority (上报)."""
