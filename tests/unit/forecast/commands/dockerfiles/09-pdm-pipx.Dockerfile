FROM python:3.11-slim
WORKDIR /srv
RUN pipx install pdm==2.15
RUN pdm sync --prod -G web --no-editable --no-self
RUN pdm install --frozen-lockfile
