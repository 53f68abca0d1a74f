FROM python:3.11-slim
ENV POETRY_CACHE_DIR=/tmp/poetry_cache
RUN pip install poetry==1.8.3
RUN poetry config virtualenvs.create false
WORKDIR /srv
COPY pyproject.toml poetry.lock ./
RUN poetry install --no-root --only main,web -E fast --no-interaction && rm -rf $POETRY_CACHE_DIR
RUN poetry export -f requirements.txt -o requirements.txt --without-hashes
