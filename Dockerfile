# Two stages: the first installs, the second only runs. Debian rather than Alpine, because
# some dependencies publish no musl wheels.
#
# The base is named by the digest of its index (amd64 and arm64), so that a build takes what was
# looked at, whatever the tag has become. To renew it, take the digest that
# `docker buildx imagetools inspect python:3.13-slim-trixie` prints first, build, and run the tests.
ARG PYTHON=docker.io/library/python:3.13-slim-trixie@sha256:70729b46c69b4f1e97c4822c1af3df53a1476cf5ddc6c087c0c10bc3a5678c2f

FROM ${PYTHON} AS build
RUN python3 -m venv /opt/smsward && python3 -m venv /opt/build
WORKDIR /build
# The lock changes seldom and the sources often: dependencies stay a cached layer of their own.
COPY requirements.lock requirements-build.lock ./
RUN /opt/smsward/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY simulators simulators
COPY policies policies
COPY config config
COPY models models
# Without isolation what builds is what was checked by its hash, not what an index has today.
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/smsward/bin/pip install --no-cache-dir --no-deps dist/*.whl
# The sample listens on loopback, which nobody outside the container could reach.
RUN sed -i -E 's/127\.0\.0\.1:(2775|9464)/0.0.0.0:\1/' config/gateway.yaml \
 && mkdir -p /state/var

FROM ${PYTHON}
COPY --from=build /opt/smsward /opt/smsward
COPY --from=build /build/config /etc/smsward
COPY --from=build /build/policies /etc/smsward/policies
# The store and the records are written below the working directory, by a numeric user that
# any host can map.
COPY --from=build --chown=10001:10001 /state /var/lib/smsward
# Loops that are compiled at the first start are kept where the user may write.
ENV NUMBA_CACHE_DIR=/var/lib/smsward/compiled
WORKDIR /var/lib/smsward
VOLUME ["/var/lib/smsward"]
USER 10001:10001
EXPOSE 2775 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["/opt/smsward/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/livez', timeout=3)"]
ENTRYPOINT ["/opt/smsward/bin/smsward"]
CMD ["run", "--config", "/etc/smsward", "--policies", "/etc/smsward/policies"]
