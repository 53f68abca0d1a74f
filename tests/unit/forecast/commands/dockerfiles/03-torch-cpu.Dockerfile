ARG PYTHON_VERSION=3.11
FROM python:${PYTHON_VERSION}-slim
ARG TORCH_VERSION=2.3.1
RUN pip install torch==${TORCH_VERSION}+cpu --index-url https://wheels.example.org/cpu \
 && pip install --extra-index-url https://wheels.example.org/extra "transformers[torch]>=4.40,<5"
