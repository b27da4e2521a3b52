"""What lies on disk: records, catalogs, titles and traits. No torch."""
