#!/bin/bash
# What must be there before the services start; may run again and again.
set -euo pipefail
airflow db migrate
python - <<'PYTHON'
import os

import boto3
from botocore.exceptions import ClientError

from sen12ts_pipeline.state.databases import open_database

open_database(os.environ["SEN12TS__LEDGER"]).dispose()
bucket = os.environ["SEN12TS__STORE"].removeprefix("s3://").partition("/")[0]
client = boto3.client("s3")
try:
    client.head_bucket(Bucket=bucket)
except ClientError:
    client.create_bucket(Bucket=bucket)
PYTHON
airflow users create --username admin --password "$ADMIN_PASSWORD" --role Admin \
  --firstname Ada --lastname Admin --email admin@example.org
airflow pools set radar "$RADAR_SLOTS" "Radar shards at one time"
airflow pools set optical "$OPTICAL_SLOTS" "Optical shards at one time"
