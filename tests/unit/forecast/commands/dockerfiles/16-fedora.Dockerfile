FROM fedora:40
RUN dnf install -y --setopt=install_weak_deps=False gcc git && dnf clean all
RUN yum -y install epel-release
RUN dnf install -y gcc && dnf remove -y gcc && dnf autoremove -y
RUN rpm --import https://example.org/key.asc && rpm -qa && rpm -e tzdata && rpm -Uhv https://example.org/x.rpm
RUN dnf makecache
RUN dnf config-manager --add-repo https://example.org/x.repo
