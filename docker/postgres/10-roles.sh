#!/bin/sh
# Two databases, and who may do what in them. Runs once, when the volume is new; docs/operations.md has it for other
# servers. The owner of the ledger changes its schema, workers write rows, readers look.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
  --set airflow="$AIRFLOW_DB_PASSWORD" --set owner="$LEDGER_OWNER_PASSWORD" \
  --set worker="$LEDGER_WORKER_PASSWORD" --set reader="$LEDGER_READER_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE sen12ts_owner LOGIN PASSWORD :'owner';
CREATE ROLE sen12ts_worker LOGIN PASSWORD :'worker';
CREATE ROLE sen12ts_reader LOGIN PASSWORD :'reader';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE sen12ts OWNER sen12ts_owner;
REVOKE CONNECT ON DATABASE airflow, sen12ts, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE sen12ts TO sen12ts_worker, sen12ts_reader;
\connect sen12ts
ALTER SCHEMA public OWNER TO sen12ts_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO sen12ts_worker, sen12ts_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE sen12ts_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sen12ts_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE sen12ts_owner GRANT USAGE ON SEQUENCES TO sen12ts_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE sen12ts_owner GRANT SELECT ON TABLES TO sen12ts_reader;
SQL
