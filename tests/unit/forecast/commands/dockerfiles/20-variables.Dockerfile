FROM debian:12
ARG VERSION=1.2.3
ARG EMPTY
RUN set -eux; \
    arch="$(dpkg --print-architecture)"; \
    case "$arch" in \
      amd64) file=tool-x64 ;; \
      arm64) file=tool-arm ;; \
      *) echo "unsupported" >&2; exit 1 ;; \
    esac; \
    wget -O tool.tgz "https://example.org/${VERSION%.*}/${file}.tgz"; \
    for p in one two; do apt-get install -y lib$p; done; \
    apt-get install -y ${EMPTY:-nothing} $(cat list.txt); \
    tar xf tool.tgz -C /opt; rm tool.tgz
