# The image of the page, the two clusters and the migrations. Servers are not in it: POSTGRES_HOST and REDIS_HOST name them.
FROM python:3.12.13-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml requirements.txt ./
# The core dependencies, the brokers' libraries and the client of a Dask cluster, at the versions of the lock: no embedded servers, no test tools. uv,
# because pip knows no overrides and would install a window toolkit for a package of which one JavaScript file is served.
RUN python -m venv /venv && sed -n '/^uv==/,/[^\\]$/p' requirements.txt >uv.txt && pip install --no-cache-dir --no-deps --require-hashes -r uv.txt \
    && uv pip install --no-cache --python /venv/bin/python --require-hashes --constraint requirements.txt --requirement pyproject.toml --extra distributed --extra brokers

FROM python:3.12.13-slim-bookworm
# LightGBM needs OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 trader && useradd --create-home --uid 1000 --gid 1000 trader
COPY --from=build /venv /venv
WORKDIR /app
# The sources belong to root: the account that runs them cannot change them.
COPY . .
# run.sh finds its environment where it looks for it, and has nothing to install: the contract's scripts work inside too.
# New volumes take the owner of the folder that they cover.
RUN ln -s /venv .venv && cp requirements.txt /venv/requirements.installed && python -m compileall -q . \
    && for folder in logs exports backups var /data/nse /data/fundamentals; do install -d -o trader -g trader $folder; done \
    && chmod 700 logs backups var
# Collected and compressed once, here: at each start it would cost a minute. The key and the address serve this line alone.
RUN APP_ENV=production SECRET_KEY=only-while-the-image-is-built-0123456789 DATABASE_URL=postgresql:///unused VAR_DIR=/tmp/build \
    LOG_FILE=/tmp/build/app.log STATIC_DIR=/app/collected /venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
    && rm -rf /tmp/build && chmod -R go+rX collected
USER trader
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 5001
CMD ["gunicorn", "tradingsite.wsgi", "--config", "python:tradingsite.web.access_log", "--bind", "0.0.0.0:5001", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm"]
