# A service of saved models: docker build -t isthmus . && docker run -v ./models:/models isthmus /models/a.isthmus
# Needs a token in ISTHMUS_TOKEN; see docs/serve.md.
FROM python:3.13-slim

WORKDIR /isthmus
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --compile -c constraints.txt '.[serve]' \
    && useradd --create-home isthmus

USER isthmus
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["isthmus", "serve", "--host", "0.0.0.0"]
