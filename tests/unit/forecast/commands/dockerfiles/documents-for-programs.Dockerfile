FROM busybox
RUN <<EOF python3
print("hello")
open("/big", "w").write("x")
EOF
RUN <<EOF
#!/usr/bin/env python3
print("hello")
EOF
RUN <<EOF
#!/bin/bash -e
rm -rf /tmp/x
EOF
RUN python3 <<EOF
print("hello")
EOF
RUN <<EOF cat > /etc/x
hello
EOF
RUN <<EOF
rm -rf /tmp/y
EOF
RUN <<EOF python3 && rm -rf /tmp/z
print("hello")
EOF
