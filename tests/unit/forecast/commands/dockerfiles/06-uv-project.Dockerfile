# syntax=docker/dockerfile:1
FROM python:3.12-slim
COPY --from=example.org/uv:0.5 /uv /bin/
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --frozen --no-install-project --no-dev --extra api
COPY . /app
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-editable
