"""Settings: what may be configured, within which bounds, and where values come from. Light: Airflow reads it often."""
