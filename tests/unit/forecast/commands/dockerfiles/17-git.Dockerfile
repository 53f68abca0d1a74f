FROM python:3.11
RUN git clone --depth 1 --branch v1.2 --recurse-submodules https://example.org/team/tool.git /opt/tool \
 && pip install /opt/tool "git+https://example.org/team/other.git@main#egg=Other[x]" && rm -rf /opt/tool
RUN cd /srv && git clone git@example.org:team/app && cd app && git checkout abc && make install
