FROM python:3.11-slim
RUN python -m venv --without-pip /venv && pip --python /venv/bin/python install --no-cache-dir -r requirements.txt
RUN pip --no-cache-dir --index-url https://mirror.example.org install numpy && pip --version && pip list
RUN uv --directory /srv --no-cache sync && uv --cache-dir /c pip install x && poetry -C /p install
RUN apt-get -o Acquire::Retries=3 -qq install -y git && git -C /srv clone https://example.org/a.git && npm --prefix web ci
RUN pip instal misspelt
