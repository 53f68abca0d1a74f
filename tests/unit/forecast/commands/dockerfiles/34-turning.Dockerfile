FROM busybox:latest
RUN i=0; while [ $i -lt 16 ]; do dd if=/dev/zero bs=64k count=5 >> /grown; i=$((i+1)); done
RUN for file in /etc/*.conf; do echo "$file" >> /names; fallocate -l 5MiB "$file.room"; done
RUN for one in a b; do fallocate -l 5MiB /room; done
