FROM python:3.11-slim
RUN groupadd -r app && useradd -r -g app -m app && mkdir -p /data /logs && install -d -o app /x
USER app
WORKDIR /home/app
RUN pip install --user flask && echo "export X=1" >> ~/.bashrc && touch /data/ready
RUN ln -s /data /home/app/data && cp -r /a /b && mv /c /d
