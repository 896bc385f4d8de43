"""Legal holds (司法保全): what keeps records from being purged."""
