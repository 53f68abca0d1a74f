FROM python:3.11-slim
ENV UV_SYSTEM_PYTHON=1 UV_NO_CACHE=true UV_INDEX_URL=https://index.example.org/simple
RUN pip install uv && uv pip install -r requirements.txt -c constraints.txt numpy
RUN uv venv /venv --python 3.11 && VIRTUAL_ENV=/venv uv pip install --torch-backend=cpu torch
RUN uv pip install --target=/lib -e ./package --prerelease=allow --exclude-newer 2024-07-01
