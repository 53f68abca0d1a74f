FROM python:3.11-slim
RUN pip install huggingface_hub && huggingface-cli download team/model --local-dir /models
RUN python download.py && aria2c -x 8 -d /models -o m.bin https://example.org/m.bin
RUN uv run --no-sync python -m app.fetch
RUN uv tool install ruff && uvx black --version
