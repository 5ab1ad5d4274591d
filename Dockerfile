# faceuv on a CPU: docker build -t faceuv . && docker run --rm -v "$PWD/out:/out" faceuv sample --num 8 --out /out/sample
FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    FACEUV_CACHE=/var/cache/faceuv

# mmengine imports OpenCV, whose wheel needs these two libraries.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# torch first, in the CPU build: that layer stays while the sources change.
RUN pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu

WORKDIR /opt/faceuv
COPY pyproject.toml README.md LICENSE ./
COPY faceuv ./faceuv
RUN pip install ".[fast,video]"

# Any user may fill the cache of face models.
RUN mkdir -p "$FACEUV_CACHE" && chmod 1777 "$FACEUV_CACHE"
RUN useradd --create-home faceuv
USER faceuv
WORKDIR /home/faceuv

ENTRYPOINT ["faceuv"]
CMD ["doctor"]
