"""What packages of systems, and programs for Node.js, usually take with all that they bring. Data, no rules.

A row has a name, then megabytes at least and at most, in an image that has nothing of it: over Debian 11 to 13, Ubuntu
22.04 and 24.04, Alpine 3.16 to 3.21 and Fedora 39 to 41, with what is recommended and without. It stands in where no
list of packages can be read.

Round figures and wide on purpose, by what these distributions declare of packages and of what those need.
"""

from __future__ import annotations

_SYSTEM = """
acl 0 2 | adduser 0 3 | apt-transport-https 0 8 | apt-utils 0 4 | aria2 1 20 | autoconf 2 70 | automake 2 90
awscli 40 350 | bash 0 4 | bash-completion 0 3 | bc 0 1 | binutils 15 80 | bison 1 60 | bsdmainutils 0 8
build-base 120 420 | build-essential 120 480 | busybox 0 3 | bzip2 0 2 | ca-certificates 0 15 | cargo 150 1100
ccache 1 40 | chromium 150 1100 | chromium-driver 10 1100 | chromium-chromedriver 10 1100 | clang 80 900
cmake 15 160 | coreutils 0 20 | cpio 0 2 | cron 0 75 | curl 0 40 | cython3 2 160 | dbus 0 20 | default-jdk 150 800
default-jre 100 600 | default-jre-headless 80 350 | default-libmysqlclient-dev 2 90 | default-mysql-client 20 200
diffutils 0 5 | dirmngr 0 25 | dnsutils 1 60 | dos2unix 0 3 | dumb-init 0 2 | espeak-ng 5 40 | expat 0 5
exiftool 5 90 | ffmpeg 30 900 | file 0 12 | findutils 0 3 | flex 1 60 | fontconfig 1 25 | fonts-dejavu 2 15
fonts-dejavu-core 1 6 | fonts-liberation 1 15 | fonts-noto 5 900 | fonts-noto-color-emoji 5 15
fonts-noto-cjk 40 320 | freetds-dev 1 40 | freetds-bin 1 20 | fuse 0 5 | g++ 80 380 | gawk 0 8 | gcc 60 320
gcc-c++ 80 420 | gcompat 0 2 | gdal-bin 50 500 | gdb 10 160 | gettext 5 60 | gettext-base 0 5 | gfortran 60 400
ghostscript 20 130 | git 2 200 | git-lfs 5 220 | gnupg 0 50 | gnupg2 0 50 | golang 150 900 | golang-go 150 900
gosu 0 6 | gpg 0 25 | gpg-agent 0 25 | graphviz 20 260 | groff 1 20 | gstreamer1.0-plugins-good 20 350
gunicorn 1 60 | gzip 0 2 | htop 0 5 | httpie 2 90 | hostname 0 1 | icu-libs 10 50 | icu-data-full 10 40
imagemagick 20 330 | inetutils-ping 0 3 | inotify-tools 0 3 | iproute2 0 15 | iptables 0 15 | iputils-ping 0 4
jq 0 5 | keychain 0 5 | krb5-user 1 30 | less 0 2 | linux-headers 3 25 | linux-headers-generic 20 260 | locales 5 25
logrotate 0 8 | lsb-release 0 60 | lsof 0 3 | lz4 0 3 | m4 0 3 | make 0 4 | mariadb-client 20 260
mesa-utils 20 350 | mecab 2 40 | mecab-ipadic-utf8 30 140 | mediainfo 2 40 | mime-support 0 2 | moreutils 0 60
musl-dev 8 30 | mysql-client 20 220 | nano 0 6 | nasm 0 8 | ncurses-bin 0 4 | net-tools 0 4 | netcat 0 3
netcat-openbsd 0 3 | netcat-traditional 0 3 | nginx 0 90 | nginx-light 0 60 | ninja-build 0 4 | nodejs 30 320
nodejs-current 30 320 | npm 10 900 | nss 1 10 | ocl-icd-libopencl1 0 3 | ocl-icd-opencl-dev 0 12 | openblas 5 80
openblas-dev 10 160 | openjdk-8-jre-headless 60 350 | openjdk-11-jdk 150 900 | openjdk-11-jre 60 700
openjdk-11-jre-headless 60 400 | openjdk-17-jdk 150 1000 | openjdk-17-jdk-headless 120 700 | openjdk-17-jre 60 700
openjdk-17-jre-headless 60 400 | openjdk-21-jdk 150 1000 | openjdk-21-jre-headless 60 450 | openjdk17 120 700
openjdk17-jre 60 400 | openjdk11 120 700 | openjdk11-jre 60 400 | openjdk21 120 700 | openssh 0 30
openssh-client 0 35 | openssh-clients 0 35 | openssh-server 1 140 | openssl 0 8 | p7zip-full 1 15 | pandoc 80 350
parallel 0 60 | patch 0 3 | patchelf 0 3 | pciutils 0 10 | perl 0 110 | php 20 150 | php-cli 20 120 | php-fpm 20 160
pkg-config 0 60 | pkgconf 0 3 | pkgconfig 0 60 | poppler-utils 2 60 | portaudio19-dev 0 40 | postgresql 40 450
postgresql-client 5 120 | postgresql-dev 5 350 | postgresql-libs 0 12 | proj-bin 5 60 | procps 0 5
protobuf-compiler 2 40 | psmisc 0 4 | py3-pip 5 130 | python3 15 110 | python3-dev 20 190 | python3-devel 5 140
python3-distutils 0 90 | python3-opencv 100 1200 | python3-pip 5 950 | python3-setuptools 1 110 | python3-tk 1 130
python3-venv 1 120 | python3-wheel 0 100 | python-is-python3 0 100 | python3.8 10 110 | python3.9 10 110
python3.10 10 120 | python3.11 10 120 | python3.12 10 130 | python3.9-dev 10 190 | python3.10-dev 10 190
python3.11-dev 10 190 | python3.12-dev 10 200 | python3.10-venv 1 120 | python3.11-venv 1 120
python3.12-venv 1 120 | python3.9-venv 1 120 | python3.10-distutils 0 90 | redis 1 20 | redis-server 1 25
redis-tools 0 12 | ripgrep 1 8 | rsync 0 5 | rustc 100 900 | ruby 10 120 | ruby-dev 10 180 | s6-overlay 0 10
sed 0 2 | shadow 0 4 | shared-mime-info 0 30 | socat 0 4 | software-properties-common 5 260 | sox 1 60 | sqlite 0 8
sqlite3 0 8 | sshpass 0 2 | strace 0 6 | su-exec 0 1 | subversion 5 90 | sudo 0 10 | supervisor 1 160 | swig 2 20
systemd 5 80 | tar 0 4 | tcl 2 12 | tesseract-ocr 10 240 | tesseract-ocr-data-eng 1 30 | texlive 200 2500 | tini 0 2
tk 2 60 | tmux 0 6 | tree 0 1 | ttf-mscorefonts-installer 1 60 | ttf-dejavu 2 15 | ttf-freefont 5 15 | tzdata 0 8
ufw 0 60 | unixodbc 0 8 | unixodbc-dev 0 35 | unrar 0 2 | unzip 0 2 | util-linux 0 20 | uuid-runtime 0 4
valgrind 20 160 | vim 5 120 | vim-tiny 1 8 | wait-for-it 0 1 | weasyprint 20 400 | wget 0 15 | wget2 0 12
which 0 1 | whois 0 3 | wkhtmltopdf 20 360 | xauth 0 10 | xfonts-75dpi 2 20 | xfonts-base 5 30 | xvfb 20 330
xz 0 2 | xz-utils 0 3 | yarn 2 320 | yasm 0 6 | zip 0 3 | zlib 0 1 | zstd 0 4 | zsh 3 25 | alsa-utils 1 80
apache2 2 120 | apache2-utils 0 15 | at-spi2-core 1 60 | bluez 2 60 | cups 5 160 | cups-bsd 2 90 | dpkg-dev 5 450
debhelper 20 520 | devscripts 20 520 | fakeroot 0 4 | firefox-esr 150 600 | gdal 50 500 | gdal-dev 60 900
geos 1 15 | geos-dev 2 30 | gifsicle 0 2 | hdf5-tools 2 60 | inkscape 150 1200 | iperf3 0 4 | jpegoptim 0 3
libreoffice 300 2200 | libreoffice-writer 250 1800 | lxc 5 60 | nfs-common 1 40 | nvidia-cuda-toolkit 2000 9000
octave 150 1500 | optipng 0 2 | pngquant 0 3 | proj 2 20 | qpdf 2 20 | r-base 150 1100 | r-base-dev 250 1800
samba 20 320 | scons 2 90 | smbclient 5 150 | snmp 1 60 | squashfs-tools 0 2 | stress 0 1 | tcpdump 0 6 | telnet 0 2
traceroute 0 2 | upx-ucl 0 3 | vlc 80 900 | xdg-utils 0 90 | zbar-tools 2 160 | musl 0 2 | musl-utils 0 5
dnf-plugins-core 1 20 | dnf-utils 1 20 | yum-utils 1 60 | epel-release 0 2 | glibc-langpack-en 1 10
gcc-toolset-12 200 900 | shadow-utils 0 8 | tar.x86_64 0 4 | xz-devel 0 4 | python3.11-pip 2 90
python3.11-devel 5 140 | findutils-locate 0 2 | onnxruntime 10 120 | py3-numpy 10 120 | py3-scipy 30 260
py3-setuptools 1 100 | py3-wheel 0 90 | py3-virtualenv 2 110 | vips 10 90 | vips-dev 30 350 | vips-tools 1 60
cairo 2 20 | pango 2 25 | nss-tools 0 8 | harfbuzz 1 20 | freetype 0 4
"""
_PATTERNS = """
lib*-dev 0 350 | *-dev 0 350 | *-devel 0 350 | lib*-doc 0 60 | libboost*-dev 5 350 | libopencv* 10 1500
libgdal* 20 900 | libgtk* 10 500 | libreoffice-* 50 2000 | libgl1* 1 350 | libegl* 1 350 | libgles* 1 350
libnvidia-* 10 1200 | cuda-* 10 9000 | libcudnn* 100 3500 | libcublas* 100 2500 | libnccl* 50 600
libnvinfer* 200 6000 | libtorch* 100 6000 | libav* 1 350 | libsdl* 1 200 | libqt* 10 500 | lib* 0 160
python3-* 0 300 | py3-* 0 300 | fonts-* 0 260 | font-* 0 120 | ttf-* 0 60 | php*-* 0 160 | php8* 0 160
ruby-* 0 120 | perl-* 0 60 | postgresql-* 0 450 | *-doc 0 60 | *-data 0 120 | *-libs 0 80 | language-pack-* 0 60
tesseract-ocr-* 0 60 | gstreamer1.0-* 1 450 | linux-headers-* 5 260 | openjdk-* 60 1000 | java-* 60 1000
llvm* 20 1200 | clang-* 60 900 | gcc-* 20 450 | g++-* 60 450 | nginx-* 0 60 | mysql-* 5 350 | mariadb-* 5 350
util-linux-* 0 8 | xfonts-* 0 60 | icu-* 0 60 | aspell-* 0 20 | hunspell-* 0 20 | apache2-* 0 60
"""
_TOOLS = """
npm 10 25 | yarn 4 8 | pnpm 5 30 | corepack 0 5 | typescript 20 80 | ts-node 2 110 | tsx 8 30 | nodemon 2 12
pm2 20 90 | serve 4 25 | http-server 2 15 | forever 5 30 | @angular/cli 20 170 | @vue/cli 50 260
@nestjs/cli 30 190 | vite 15 80 | turbo 15 70 | nx 20 170 | lerna 30 220 | gulp 5 30 | gulp-cli 1 15 | grunt-cli 0 8
bower 5 30 | webpack 15 80 | webpack-cli 2 90 | eslint 5 40 | prettier 6 15 | node-gyp 1 15 | node-pre-gyp 1 15
prisma 30 330 | create-react-app 2 20 | @openai/codex 5 260 | @anthropic-ai/claude-code 5 330
@google/gemini-cli 10 330 | wrangler 40 330 | firebase-tools 60 350 | netlify-cli 100 650 | vercel 40 350
aws-cdk 15 90 | serverless 20 220 | n8n 350 3000 | rimraf 0 8 | cross-env 0 3 | concurrently 1 10 | json-server 3 30
newman 15 80 | bun 50 120 | @mermaid-js/mermaid-cli 100 1100 | svgo 2 15 | sass 3 15 | less 2 10 | postcss-cli 2 20
tailwindcss 2 60 | @tailwindcss/cli 10 90 | next 100 420 | react-scripts 100 350 | expo-cli 50 450 | cordova 10 90
ionic 10 120 | @ionic/cli 10 120 | hexo-cli 2 40 | gitbook-cli 5 60 | docsify-cli 10 80 | vuepress 60 350
elasticdump 20 130 | configurable-http-proxy 2 20 | zx 1 20 | uglify-js 0 4 | jest 20 120 | mocha 3 25
cypress 5 1100 | playwright 5 30 | @playwright/test 5 30 | lighthouse 20 220
@modelcontextprotocol/inspector 10 120
"""

# Packages for Python that bring hundreds of megabytes: at most with what is for graphics cards, and without.
_PYTHON = """
torch 6500 1500 | torchvision 6600 1600 | torchaudio 6600 1600 | torchtext 6500 1500 | torchmetrics 6600 1600
tensorflow 2600 2600 | tensorflow-gpu 2600 2600 | tensorflow-cpu 1600 1600 | keras 2600 2600 | jax 4500 700
jaxlib 4500 700 | vllm 12000 12000 | xformers 7000 7000 | ultralytics 7200 2300 | sentence-transformers 7000 2200
accelerate 6800 1800 | timm 6800 1800 | openai-whisper 7000 2200 | whisperx 8500 3500 | easyocr 7200 2400
peft 6900 2000 | trl 7200 2400 | bitsandbytes 7000 2200 | deepspeed 7500 2600 | lightning 6900 2000
pytorch-lightning 6900 2000 | fastai 7500 2700 | flair 7500 2700 | stanza 6800 1900 | bertopic 7500 2700
docling 8000 3500 | unstructured-inference 8000 3500 | torch-geometric 6800 1800 | detectron2 7200 2300
mmcv 7500 2700 | mmcv-full 7500 2700 | mmdet 7800 3000 | mmpose 7800 3000 | open-clip-torch 6900 1900
super-gradients 8500 3500 | segment-anything 6700 1700 | rembg 1500 1500 | paddlepaddle-gpu 5500 5500
paddlepaddle 1600 1600 | cupy-cuda12x 2500 2500 | cupy-cuda11x 2500 2500 | onnxruntime-gpu 1600 1600
tensorrt 6500 6500 | nvidia-cudnn-cu12 2200 2200 | nvidia-cublas-cu12 1300 1300 | mxnet-cu112 2600 2600
pyspark 1000 1000 | apache-flink 1200 1200 | ray 900 900 | open3d 2200 2200 | auto-gptq 7200 7200
flash-attn 8500 8500 | llama-cpp-python 1600 1600 | triton 1600 1600 | dgl 3500 2500
"""


def _rows(text: str) -> dict[str, tuple[int, int]]:
    entries = (entry.split() for entry in text.replace("\n", "|").split("|") if entry.strip())
    return {name: (int(low) * 1_000_000, int(high) * 1_000_000) for name, low, high in entries}


SYSTEM, PATTERNS, TOOLS, PYTHON = _rows(_SYSTEM), _rows(_PATTERNS), _rows(_TOOLS), _rows(_PYTHON)
