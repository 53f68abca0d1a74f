FROM python:3.11-slim
RUN echo "numpy pandas" | xargs pip install
RUN cat requirements.txt | xargs -n 1 pip install
RUN find /srv -name '*.so' | xargs strip --strip-debug
RUN python setup.py install
