FROM python:3.11-slim
RUN pip install numpy && rm -rf /root/.cache/pip && find / -name '*.pyc' -delete
RUN find /usr/local -depth \( -type d -a -name test \) -exec rm -rf '{}' +
RUN rm -rf /usr/share/doc ~/.cache; chmod -R a+rX /app; chown app:app /app/one /app/two
RUN apt-get clean && rm -rf /var/cache/apt/archives /var/lib/apt/lists/* /tmp/* /var/tmp/*
RUN sed -i 's/a/b/' /etc/ssl/openssl.cnf && setcap cap_net_bind_service=+ep /usr/bin/python3.11
