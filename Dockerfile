# callctl in a container. `scripts/image` builds it, with docker or without; docs/install.md
# says how it is run. Asterisk has an image of its own: deploy/asterisk.Dockerfile.
ARG BASE=debian:13-slim

# How the building machine reaches its package sources: nothing, unless scripts/image hands its
# own settings in as the build context "host". They are mounted, so no image ever holds them.
FROM scratch AS host

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN --mount=type=bind,from=host,target=/run/host \
    export APT_CONFIG=/run/host/apt.conf \
    && apt-get update -qq \
    && apt-get install -qq --no-install-recommends python3 python3-pip python3-venv
WORKDIR /src
COPY requirements-build.lock requirements-runtime.lock ./
# Everything is pinned with its checksum, what builds packages included.
RUN --mount=type=bind,from=host,target=/run/host \
    export PIP_CONFIG_FILE=/run/host/pip.conf PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements-build.lock \
    && python3 -m venv --without-pip /opt/callctl \
    && /opt/build/bin/pip wheel --require-hashes --no-deps --no-build-isolation \
        --wheel-dir /wheels -r requirements-runtime.lock \
    && /opt/build/bin/pip --python /opt/callctl/bin/python install --no-index --no-deps /wheels/*
COPY pyproject.toml README.md ./
COPY callctl callctl
COPY agi agi
COPY dialplan dialplan
COPY asterisk-conf asterisk-conf
COPY migrations migrations
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/build/bin/pip --python /opt/callctl/bin/python install --no-index --no-deps /wheel/*

FROM ${BASE}
LABEL org.opencontainers.image.title="callctl" \
      org.opencontainers.image.licenses="Apache-2.0"
# Files that Asterisk and callctl share belong to the group "asterisk", in both images the same.
ARG CALLCTL_ID=4573
ARG ASTERISK_ID=5060
# openssl makes the certificate for SIP over TLS (`callctl asterisk-conf`).
RUN --mount=type=bind,from=host,target=/run/host \
    export APT_CONFIG=/run/host/apt.conf DEBIAN_FRONTEND=noninteractive \
    && apt-get update -qq \
    && apt-get install -qq --no-install-recommends openssl python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/*.log \
    && groupadd --gid ${ASTERISK_ID} asterisk \
    && useradd --uid ${ASTERISK_ID} --gid asterisk --no-create-home --shell /usr/sbin/nologin \
        --home-dir /var/lib/asterisk asterisk \
    && useradd --uid ${CALLCTL_ID} --user-group --groups asterisk --no-create-home \
        --shell /usr/sbin/nologin --home-dir /var/lib/callctl callctl \
    && install -d -o callctl -g callctl -m 0750 /var/lib/callctl
COPY --from=build /opt/callctl /opt/callctl
COPY --chmod=0755 deploy/container-setup /opt/callctl/bin/container-setup
# The container's own addresses are inside it: what may be reached is what its owner publishes.
ENV PATH=/opt/callctl/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CALLCTL_HTTP_HOST=0.0.0.0 \
    CALLCTL_HTTP_PORT=8080 \
    CALLCTL_LOG_FORMAT=json
USER callctl
WORKDIR /var/lib/callctl
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['CALLCTL_HTTP_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["callctl"]
CMD ["run"]
