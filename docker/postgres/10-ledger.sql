-- Beside Airflow's own database, one for the pipeline's ledger.
CREATE DATABASE sen12ts;
