FROM debian:12
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN curl -fsSL https://example.org/install.sh | bash -s -- --yes
RUN curl -L "https://example.org/tool-$(uname -m).tar.gz" | tar -xz -C /usr/local --strip-components=1
RUN wget -qO- https://example.org/key.asc | gpg --dearmor > /etc/apt/keyrings/k.gpg
RUN curl -sSfLO https://example.org/a/model.bin && curl -o /m/b.bin https://example.org/b -H "Authorization: x"
RUN wget -P /data https://example.org/one.zip https://example.org/two.zip && unzip -q /data/one.zip -d /data/one && rm /data/*.zip
