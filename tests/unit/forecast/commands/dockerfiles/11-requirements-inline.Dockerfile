# syntax=docker/dockerfile:1
FROM python:3.11-slim
RUN pip install -r /dev/stdin <<REQUIREMENTS
numpy==1.26.4
pandas
REQUIREMENTS
RUN <<EOT bash -ex
  pip install requests
  python -m compileall /app
EOT
COPY <<-"LIST" /etc/list.txt
	a $b
	LIST
