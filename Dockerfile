# One image for every role; the command says which. For a GPU: --build-arg TENSORFLOW='tensorflow[and-cuda]'.
FROM python:3.12-slim

ARG TENSORFLOW=""
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 TAFFRAIL_HOME=/var/lib/taffrail

RUN useradd --uid 10001 --create-home taffrail \
    && install --directory --owner=taffrail --group=taffrail --mode=0700 /var/lib/taffrail
WORKDIR /opt/taffrail
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY cli cli
COPY worker worker
COPY annotator annotator
COPY db db
RUN pip install --constraint constraints.txt ".[postgres,flower,remote,video]" \
    && if [ -n "$TENSORFLOW" ]; then pip uninstall --yes tensorflow-cpu && pip install "$TENSORFLOW"; fi

USER taffrail
WORKDIR /home/taffrail
VOLUME /var/lib/taffrail
ENTRYPOINT ["cli"]
CMD ["--help"]
