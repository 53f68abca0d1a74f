FROM python:3.11-slim
ARG GPU=0
RUN if [ "$GPU" = "1" ]; then \
      pip install torch==2.3.1; \
    elif [ -f /etc/special ]; then \
      pip install torch==2.3.0; \
    else \
      pip install torch==2.3.1+cpu -i https://wheels.example.org/cpu; \
    fi
