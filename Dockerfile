# One image for every process; the command says which one it is.
FROM python:3.13-slim AS build
WORKDIR /app
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir uv==0.13.8 && python -m venv /venv
COPY requirements.lock ./
RUN uv pip sync --python /venv/bin/python --require-hashes requirements.lock

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /app promptsaas
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PROMPTSAAS_ENV=production
COPY --from=build /venv /venv
COPY manage.py ./
COPY apps apps
COPY promptsaas promptsaas
COPY deploy/postgres-init deploy/postgres-init
COPY static static
COPY templates templates
# Nothing here is used to serve: the settings want them, collecting static files does not.
RUN SECRET_KEY=only-for-the-build-only-for-the-build-only-for-the-build \
    MASTER_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgresql://build.invalid/build REDIS_URL=redis://build.invalid \
    PUBLIC_URL=https://build.invalid ALLOWED_HOSTS=build.invalid \
    python manage.py collectstatic --noinput
USER promptsaas
EXPOSE 8000 8001
CMD ["python", "manage.py", "web", "--host=0.0.0.0"]
