# One image for web, worker, sweeper and migrate. Built in two steps: the second holds no build tools.
ARG PYTHON_IMAGE=python:3.11.14-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip
WORKDIR /app
COPY . .
# Embedded mode needs no secret; its throw-away data folder stays behind in this step.
RUN PORTAL_DATA_DIR=/tmp/portal PORTAL_STATIC_ROOT=/app/staticfiles \
    /opt/venv/bin/python manage.py collectstatic --no-input \
    && /opt/venv/bin/python -m compileall -q /app

FROM ${PYTHON_IMAGE}
# pg_dump and psql for `manage.py backup` and `restore`; as new as the server in docker-compose.yml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 portal \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin portal \
    && install -d -o 10001 -g 10001 -m 0700 /data /backups
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORTAL_MODE=production \
    PORTAL_HOST=0.0.0.0 \
    PORTAL_DATA_DIR=/data \
    PORTAL_STATIC_ROOT=/app/staticfiles
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "manage.py", "healthy", "web"]
CMD ["gunicorn", "--config=mri_portal/gunicorn_conf.py", "mri_portal.wsgi"]
