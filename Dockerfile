# An environment for the pipeline: `docker build -t sabi .`, then `docker run --name sabi sabi`.
# Needs a processor with AVX2; TensorFlow runs on the CPU. Not tried yet: see docs/reproducibility.md.

FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

# File names are UTF-8, as in the Makefile.
ENV PYTHONUTF8=1 \
    LANG=C.UTF-8

WORKDIR /sabi
# With .git: DVC and the gate ask git.
COPY . .
RUN make setup

ENV PATH=/sabi/.venv/bin:$PATH

CMD ["make", "repro"]
