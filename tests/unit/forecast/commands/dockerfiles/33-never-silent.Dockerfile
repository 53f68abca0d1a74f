FROM python:3.11-slim
RUN su app -c "pip install --user flask" && su - app --command='npm ci' && su app
RUN yarn --frozen-lockfile && yarn --version && bundle
RUN corepack enable && corepack prepare yarn@4 --activate
RUN pip install --dry-run numpy && apt-get install -s gcc && perl -e 'print 1'
RUN git submodule update --init && git lfs pull && git -C /x pull
RUN $TOOL install x && "$(cat tool)" y && ./configure && ./install.sh && /opt/setup --yes
RUN source /root/.cargo/env && cargo build --release && ninja install
