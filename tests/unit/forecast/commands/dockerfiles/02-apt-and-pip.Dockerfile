FROM python:3.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       # needed to compile
       build-essential=12.9 \
       libpq-dev \
    && pip install psycopg2==2.9.9 \
    && apt-get purge -y --auto-remove build-essential \
    && rm -rf /var/lib/apt/lists/*
