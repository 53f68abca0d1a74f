FROM alpine:3.20
RUN apk add --no-cache --virtual .build gcc musl-dev && pip install cffi && apk del .build
RUN apk update && apk add bash
RUN apk add curl && apk del curl
