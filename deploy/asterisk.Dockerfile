# Asterisk 22 from Debian's own package, for deploy/compose.yaml. Its configuration comes from
# `callctl asterisk-conf` at the start and lies in a volume; the image has none.
# Debian 12 and 13 have no Asterisk, so the base is the release after them.
ARG BASE=debian:forky-slim

# See the Dockerfile of callctl: settings for the package sources, mounted while it builds.
FROM scratch AS host

FROM ${BASE}
LABEL org.opencontainers.image.title="Asterisk for callctl"
ARG ASTERISK_ID=5060
# The user comes before the package, so that its number is the same in both images. The link
# gives the modules a path that does not depend on the machine's architecture. Python runs the
# check that `*99` on a phone asks for.
RUN --mount=type=bind,from=host,target=/run/host \
    export APT_CONFIG=/run/host/apt.conf DEBIAN_FRONTEND=noninteractive \
    && groupadd --gid ${ASTERISK_ID} asterisk \
    && useradd --uid ${ASTERISK_ID} --gid asterisk --no-create-home --shell /usr/sbin/nologin \
        --home-dir /var/lib/asterisk asterisk \
    && apt-get update -qq \
    && apt-get install -qq --no-install-recommends asterisk python3 tzdata \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/*.log \
    && rm -rf /etc/asterisk /var/lib/asterisk/astdb.sqlite3 \
    && install -d -o asterisk -g asterisk -m 0750 /etc/asterisk /var/run/asterisk \
    && modules=$(echo /usr/lib/*/asterisk/modules) \
    && mkdir /usr/lib/asterisk \
    && ln -s "$modules" /usr/lib/asterisk/modules \
    && test -f /usr/lib/asterisk/modules/app_dial.so
USER asterisk
WORKDIR /var/lib/asterisk
EXPOSE 5060/udp 5060/tcp 5061/tcp
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["asterisk", "-rx", "core waitfullybooted"]
# SIGTERM ends calls in order and writes their last journal rows.
CMD ["asterisk", "-f"]
