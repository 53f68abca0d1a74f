FROM fedora:40
RUN dnf install -y --setopt=install_weak_deps=False gcc git && dnf clean all
RUN yum -y install epel-release
