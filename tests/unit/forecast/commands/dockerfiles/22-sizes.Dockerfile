FROM busybox:latest
RUN dd if=/dev/urandom of=/a bs=1M count=17 && rm /a
RUN head -c 1048583 /dev/urandom > /b; truncate -s 1G /sparse; fallocate -l 5MiB /c
RUN echo hello > /d && printf 'x' >> /e && cat <<EOF > /f
12345
EOF
RUN echo 'deb x' | tee /etc/apt/sources.list.d/x.list
