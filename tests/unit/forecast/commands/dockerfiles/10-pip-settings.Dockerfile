FROM python:3.11-slim
ENV PIP_NO_CACHE_DIR=off PIP_DEFAULT_TIMEOUT=100 PIP_EXTRA_INDEX_URL="https://a.example.org https://b.example.org" \
    PIP_CONSTRAINT=/etc/constraints.txt
RUN pip config set global.index-url https://mirror.example.org/simple
RUN python3.11 -m pip install --upgrade --no-compile pip setuptools wheel
RUN pip3 install --pre --no-deps --only-binary=:all: --platform manylinux2014_x86_64 --python-version 3.10 -t /lib numpy
RUN /opt/py/bin/pip install --user --break-system-packages --find-links /wheels --no-index mine
RUN PIP_NO_COMPILE=1 pip install six
RUN PIP_NO_COMPILE=off pip install six && PIP_NO_COMPILE=off pip install --compile six
