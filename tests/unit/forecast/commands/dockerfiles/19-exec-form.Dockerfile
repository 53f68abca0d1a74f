FROM python:3.11-slim
RUN ["pip", "install", "--no-cache-dir", "requests"]
RUN ["/bin/sh", "-c", "pip install flask && rm -rf /x"]
RUN ["python", "-c", "import nltk; nltk.download('punkt')"]
