FROM python:3.11-slim
RUN pip install fast || pip install slow
RUN command -v curl || apt-get install -y curl
RUN test -d /x && rm -rf /x; [ -n "$UNKNOWN" ] && pip install a
RUN install_it() { pip install "$1==$2"; }; install_it numpy 1.26.4; (cd /tmp && pip wheel -w out scipy)
