# Airflow worker with SNAP and pyroSAR: the pipeline's own image, and what engine: snap needs besides.
#
#   docker build -f docker/snap-worker.Dockerfile -t sen12ts-snap:local --build-arg SNAP_SHA256=... --build-arg EGM96_SHA256=... .
#
# Without a digest the build stops and says which one it found, so that it is looked at once and pinned from then on.
ARG SEN12TS_IMAGE=sen12ts-airflow:local
FROM ${SEN12TS_IMAGE}

ARG SNAP_RELEASE=13.0.4
ARG SNAP_INSTALLER=https://download.esa.int/step/snap/13.0/installers/esa-snap_sentinel_linux-13.0.0.sh
ARG SNAP_SHA256=
ARG EGM96_GRID=https://step.esa.int/auxdata/dem/egm96/ww15mgh_b.zip
ARG EGM96_SHA256=

USER 0:0
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# Java draws text while it starts, hence the fonts; GDAL's bindings and psycopg2 are those of the system's Python.
# Debian's own release pins what matters; an exact version would be gone with its next security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates curl fontconfig fonts-dejavu-core libgfortran5 procps python3-gdal python3-psycopg2 \
 && rm -rf /var/lib/apt/lists/*

# hadolint ignore=SC2016
RUN printf '%s\n' '#!/bin/bash' 'set -euo pipefail' \
      'curl --fail --silent --show-error --location --retry 5 --output "$3" "$1"' \
      'found=$(sha256sum "$3" | cut -d" " -f1)' \
      '[ "$found" = "$2" ] || { echo "$1 has SHA-256 $found; expected: ${2:-none was given}" >&2; exit 1; }' \
      > /usr/local/bin/fetch \
 && chmod +x /usr/local/bin/fetch

# The installer brings 13.0.0; the toolboxes' updates bring the release. The program that installs them does not end when
# it has done so, hence the limit; whether it did its work is judged below by the version.
RUN fetch "$SNAP_INSTALLER" "$SNAP_SHA256" /tmp/snap.sh \
 && bash /tmp/snap.sh -q -dir /opt/esa-snap \
 && rm /tmp/snap.sh \
 && { timeout --kill-after=60 1800 /opt/esa-snap/bin/snap --nosplash --nogui --modules --update-all || true; } \
 && rm -rf /root/.snap

# What SNAP would fetch at run time: every run sees this folder's auxdata, and none writes into it.
RUN mkdir -p /opt/snap-user/auxdata/dem/egm96 /opt/snap-user/etc \
 && fetch "$EGM96_GRID" "$EGM96_SHA256" /opt/snap-user/auxdata/dem/egm96/ww15mgh_b.zip

# pyroSAR apart from Airflow, whose libraries it cannot share; pip is the image's own.
COPY requirements/snap.txt /opt/sen12ts/requirements/snap.txt
RUN /usr/bin/python3 -m venv --system-site-packages --without-pip /opt/pyrosar \
 && pip --python /opt/pyrosar/bin/python install --no-cache-dir --no-deps --require-hashes -r /opt/sen12ts/requirements/snap.txt

ENV SEN12TS_GPT=/opt/esa-snap/bin/gpt \
    SEN12TS_PYROSAR=/opt/pyrosar/bin/python

USER 50000:0

# The release is the pinned one, and pyroSAR can be imported, or there is no image.
RUN python -c "import os; from pathlib import Path; \
from sen12ts_pipeline.sar.snap.bridge import Bridge, find_python; \
from sen12ts_pipeline.sar.snap.installation import examine, find_gpt; \
from sen12ts_pipeline.sar.snap.operators import Release; \
found = examine(find_gpt()); print(found); found.check(Release.parse('${SNAP_RELEASE}')); assert found.toolbox; \
print(Bridge(find_python(), found.gpt).versions())"
