# docker build -t bench . && docker run --rm --read-only --tmpfs /tmp --volume "$PWD/results:/results" \
#     --volume DATA:/data:ro bench run --model tiny_at --suite tiny --out /results/runs    (results: writable for uid 10001)
# Its steps were followed on Debian by hand; no image was built of it, since no builder was at hand.
FROM python:3.13-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libxcb1
COPY . /src
RUN pip install uv && uv pip install --system --compile-bytecode --no-verify-hashes --constraint /src/requirements.txt /src
RUN useradd --uid 10001 bench
USER bench
WORKDIR /tmp
ENV OMP_NUM_THREADS=1 BENCH_DATA=/data BENCH_CACHE=/results/cache MPLCONFIGDIR=/tmp
ENTRYPOINT ["bench"]
