#!/bin/sh
# SeaweedFS with two users: one who may do everything, and the pipeline's, who may use its own bucket alone.
set -eu
cat > /run/sen12ts/s3.json <<JSON
{"identities": [
  {"name": "admin", "actions": ["Admin"],
   "credentials": [{"accessKey": "$S3_ADMIN_ACCESS_KEY", "secretKey": "$S3_ADMIN_SECRET_KEY"}]},
  {"name": "pipeline", "actions": ["Read:sen12ts", "Write:sen12ts", "List:sen12ts"],
   "credentials": [{"accessKey": "$S3_ACCESS_KEY", "secretKey": "$S3_SECRET_KEY"}]}
]}
JSON
exec weed server -dir=/data -ip.bind=0.0.0.0 -master.volumeSizeLimitMB=4096 -volume.max=0 -s3 -s3.port=8333 \
  -s3.config=/run/sen12ts/s3.json
