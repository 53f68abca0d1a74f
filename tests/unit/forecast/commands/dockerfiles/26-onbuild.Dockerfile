FROM python:3.11-slim AS kit
ONBUILD COPY requirements.txt /r.txt
ONBUILD RUN pip install -r /r.txt
FROM kit
RUN pip install extra
