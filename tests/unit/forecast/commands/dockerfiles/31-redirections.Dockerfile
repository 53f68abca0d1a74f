FROM debian:12
RUN wget -qO- https://example.org/a | base64 -d > /a
RUN apt-get update > /dev/null && apt-get install -y gcc > /var/log/x 2>&1
RUN { echo a; echo b; } > /ab
RUN (curl -s https://example.org/x; echo more) >> /x
RUN if true; then cat /etc/passwd; fi > /copy
RUN > /empty
