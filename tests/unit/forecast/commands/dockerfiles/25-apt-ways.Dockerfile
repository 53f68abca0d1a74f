FROM debian:12
RUN echo 'APT::Install-Recommends "false";' > /etc/apt/apt.conf.d/99no
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean; apt-get update -qq && apt-get -yqq install git
RUN apt-get install -y -o APT::Install-Recommends=1 -t bookworm-backports golang ./local.deb && apt-get dist-upgrade -y
RUN sudo DEBIAN_FRONTEND=noninteractive apt install -y "tzdata" && dpkg -i /tmp/x.deb
