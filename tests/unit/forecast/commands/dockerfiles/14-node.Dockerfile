FROM node:20
WORKDIR /srv
RUN npm ci --omit=dev && npm cache clean --force
RUN yarn install --frozen-lockfile && npm run build
RUN corepack enable && pnpm add left-pad
