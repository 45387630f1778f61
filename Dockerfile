# The image of every service: page, clusters, migrations. Servers are not in it; DATABASE_URL and REDIS_URL name them.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml requirements.txt ./
# The core dependencies alone, at the versions of the lock: no embedded servers, no test tools.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > core.txt \
    && python -m venv /venv && /venv/bin/pip install --no-cache-dir --constraint requirements.txt --requirement core.txt

FROM python:3.12-slim
# LightGBM needs OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 trader
COPY --from=build /venv /venv
WORKDIR /app
COPY --chown=trader:trader . .
RUN mkdir -p logs exports var && chown trader:trader logs exports var
USER trader
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 5001
CMD ["gunicorn", "tradingsite.wsgi", "--bind", "0.0.0.0:5001", "--workers", "2", "--threads", "8"]
