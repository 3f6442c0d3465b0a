# The server with its page and HTTP API, on a processor.
#   docker build -t clipsonic . && docker run --rm -p 7860:7860 -e CLIPSONIC_TOKEN=... clipsonic
FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# PyTorch first, from its index of wheels without CUDA: some 200 MB instead of several GB.
COPY constraints.txt ./
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep -m 1 '^torch==' constraints.txt)"

COPY pyproject.toml MANIFEST.in README.md LICENSE ./
COPY src ./src
RUN pip install -c constraints.txt ".[serve]"

RUN useradd --create-home --uid 10001 clipsonic
USER clipsonic
WORKDIR /home/clipsonic
ENV HF_HUB_OFFLINE=1

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=4)"]

# SIGTERM finishes what is being made: give it time with `docker stop -t 30`.
ENTRYPOINT ["clipsonic", "serve", "--host", "0.0.0.0"]
