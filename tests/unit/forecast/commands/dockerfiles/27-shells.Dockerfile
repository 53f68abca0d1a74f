FROM python:3.11-slim
SHELL ["conda", "run", "-n", "env", "/bin/bash", "-c"]
RUN pip install a
SHELL ["pwsh", "-Command"]
RUN Install-Module x
SHELL ["/bin/sh", "-c"]
RUN bash -lc "source /venv/bin/activate && pip install b" && env X=1 timeout 60 pip install c
RUN pip install d &&& broken
