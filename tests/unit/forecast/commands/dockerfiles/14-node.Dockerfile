FROM node:20
WORKDIR /srv
RUN npm ci --omit=dev && npm cache clean --force
RUN yarn install --frozen-lockfile && npm run build
RUN corepack enable && pnpm add left-pad
RUN npm ci && npm prune --omit=dev
RUN npm uninstall -g typescript
RUN npm audit fix
RUN yarn global remove x
RUN npm config set registry https://example.org/
