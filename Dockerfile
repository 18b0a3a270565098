# The service; tests/project/test_container.py builds it where there is a container engine.
#
#   docker build -t crnn-ctc .
#   docker build -t crnn-ctc --build-arg EXTRAS=serve,ray .
#   docker run --rm -p 127.0.0.1:8000:8000 --read-only --cap-drop ALL --memory 2g crnn-ctc
#   docker run --rm -p 8000:8000 --stop-timeout 30 -e CRNN_CTC_API_KEYS crnn-ctc --min-confidence 0.9
FROM python:3.13-slim

ARG EXTRAS=serve
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN pip install --no-cache-dir "/src[${EXTRAS}]" && rm -rf /src

# a user who owns nothing
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
EXPOSE 8000
# a request may take twice --timeout, 10 s: give --stop-timeout 30
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["crnn-ctc", "serve", "--host", "0.0.0.0", "--port", "8000"]
