"""What production adds: Airflow's settings for many workers, and the environment for trying them."""
