# escape=`
FROM scratch
ADD --checksum=sha256:aa https://example.org/f/model.bin?download=1 /models/
ADD https://example.org/raw /models/raw.bin
ADD https://example.org/team/tool.git#v1 /src
ADD rootfs.tar.gz /
ADD --chmod=644 `
    one.txt two.txt /t
