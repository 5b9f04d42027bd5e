# The package with all that it needs, for a CPU or for NVIDIA's GPUs:
#   docker build -t ae-pretrained .
#   docker build -t ae-pretrained --build-arg DEVICE=cuda .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" ae-pretrained ae-pretrained predict image.jpg
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# cpu, or cuda: PyTorch's default build, some gigabytes larger; the driver is the host's (docker run --gpus all).
ARG DEVICE=cpu

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Of any version: Debian drops an old one with each release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

# What changes seldom comes first, so that a changed line of code installs no package again.
COPY requirements.lock /opt/ae-pretrained/
WORKDIR /opt/ae-pretrained
RUN case "$DEVICE" in \
      cpu) index=(--index-url https://download.pytorch.org/whl/cpu) ;; \
      cuda) index=() ;; \
      *) echo "DEVICE: found '$DEVICE', expected cpu or cuda" >&2; exit 1 ;; \
    esac \
    && grep -E '^(torch|torchvision)==' requirements.lock | cut -d' ' -f1 > torch.txt \
    && pip install --no-cache-dir "${index[@]}" --requirement torch.txt

COPY pyproject.toml setup.py README.md LICENSE ./
COPY ae_pretrained ae_pretrained
COPY stages stages
RUN pip install --no-cache-dir --constraint requirements.lock .

# Git and DVC work in a mounted folder whoever owns it, and matplotlib has a place to write whoever runs.
RUN git config --system --add safe.directory '*' \
    && useradd --create-home --uid 1000 user
ENV DVC_NO_ANALYTICS=1 MPLCONFIGDIR=/tmp/matplotlib HOME=/tmp
USER 1000
WORKDIR /work
EXPOSE 8000
CMD ["ae-pretrained", "--help"]
