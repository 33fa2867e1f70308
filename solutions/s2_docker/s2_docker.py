# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Docker: the service, packed so that it runs anywhere
#
# **You will be able to**
#
# - write a Dockerfile whose builds are quick, small, pinned, and free of secrets;
# - run a service as nobody, see whether it is well, and stop it in good order;
# - set it up from outside, and describe several services in one compose file;
# - read what a linter says about a Dockerfile;
# - drive the engine from Python, and release an image by a name that cannot change.
#
# About 2 hours · 35 points · needs a Docker engine (20.10 or newer). `autograder doctor` tells
# whether you have one. Without it, on Binder for example, tasks 9 and 10 and part of 3 and 4 are
# graded at once, the rest when you hand it in.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# `flight-delays` is a web service now. It gets a flight as it is scheduled and answers how likely
# it arrives 15 minutes late or more. On your machine it runs, with your Python and your packages.
# On the server of tonight it must run too.
#
# An **image** is a folder tree with all that the service needs, and a command. A **container** is
# that command, running in that tree, apart from the rest of the machine. The **engine** builds the
# one and runs the other. A **Dockerfile** is the recipe: each instruction adds a layer.
#
# ## How to work
#
# Every task has its own folder in `work/`, with its own copy of the project in a prepared state.
# Do the tasks in any order, in the notebook's cells, in a terminal or in your editor.
#
# The checks read your Dockerfile, build it themselves, run what comes out and talk to it. They
# leave the engine as they found it. What *you* build stays until you remove it: the last cell of
# this notebook does.
#
# They build in a place without secrets and with no network but package indexes. Of what only the
# newer builder, BuildKit, knows, they understand here-documents, `--link`, `--chmod` with a number,
# and mounts of the types `cache`, `bind` and `tmpfs`. Leave its other options out; no task needs
# them.

# %% setup="lab"
from autograder import Lab
from autograder.checks import s2_docker as check

lab = Lab("s2_docker")
work = lab.work

# %%
lab

# %% [markdown]
# Is an engine there? `docker version` speaks of two programs: the command you type, and the server
# that does the work.

# %% language="bash" tags=["nbval-ignore-output"]
# docker version --format 'client {{.Client.Version}}, engine {{.Server.Version}}' || true

# %% [markdown] task=1
# ### 1 · An image that answers
#
# “Works on my machine” is a sentence about what is *not* in the repository: the Python, the
# packages, the folder it was started in. A Dockerfile writes them down.
#
# `work/1-dockerfile/flight-delays` has the service. `README.md` tells how to start it,
# `requirements.txt` what it needs.
#
# **Do:** write a `Dockerfile` there. Start from `python:3.11-slim-bookworm`, install the
# requirements, copy `service/` and `models/`, and start the service on port 8000 so that other
# machines can reach it.
#
# **Leaves behind:** a Dockerfile whose image answers `POST /predict` with what the model in
# `models/late.json` says. **3 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# What would you type on a new machine, from an empty folder to the running service? Each of these
# lines has its instruction.
#
# <details><summary>The steps</summary>
#
# 1. `FROM` names the image to start from, `WORKDIR` the folder in which all else happens.
# 2. `COPY` brings files in, `RUN` runs a command while the image is built.
# 3. `CMD` is the command of the container. uvicorn listens on 127.0.0.1 unless told otherwise, and
#    in a container that means: on nothing that anybody else can reach.
#
# <details><summary>Nearly all of it</summary>
#
# `FROM …` · `WORKDIR /app` · `COPY requirements.txt .` ·
# `RUN pip install --no-cache-dir -r requirements.txt` · `COPY models models` · … ·
# `CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", …]`
#
# </details></details></details>

# %% answer="dockerfile" language="bash"
# cd work/1-dockerfile/flight-delays
# ### BEGIN SOLUTION
# cat > Dockerfile <<'EOF'
# FROM python:3.11-slim-bookworm
# WORKDIR /app
# COPY requirements.txt .
# RUN pip install --no-cache-dir -r requirements.txt
# COPY models models
# COPY service service
# CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
# EOF
# ### END SOLUTION

# %% look=1 language="bash" tags=["nbval-ignore-output"]
# cd work/1-dockerfile/flight-delays
# docker build -q -t flight-delays:1 . || exit 0
# id=$(docker run -d --rm flight-delays:1)
# sleep 2
# docker exec "$id" python -c '
# from urllib.request import Request, urlopen
# flight = b"""{"month": 7, "sched_dep_time": 1745, "carrier": "EV",
#               "origin": "EWR", "distance": 200}"""
# ask = Request("http://127.0.0.1:8000/predict", flight, {"Content-Type": "application/json"})
# print(urlopen(ask).read().decode())'
# docker stop -t 1 "$id" > /dev/null

# %% check="image_builds"
check.image_builds(work / "1-dockerfile")

# %% check="image_serves"
check.image_serves(work / "1-dockerfile")
### BEGIN HIDDEN TESTS
check.image_serves(work / "1-dockerfile", other_model=True)
### END HIDDEN TESTS

# %% [markdown] task=2
# ### 2 · Change a line, wait a second
#
# You will build hundreds of times, mostly after a change of one line. The engine keeps every layer
# and takes it again if its instruction, the files it copies *and every layer before it* are what
# they were. One changed file near the top makes all below it new.
#
# The Dockerfile in `work/2-cache/flight-delays` installs all packages again after every change.
#
# **Do:** change it so that a change of the source installs nothing.
#
# **Leaves behind:** a Dockerfile of which two builds, before and after a change in `service/`,
# share the layer with the packages, and of which the second runs the changed source. **2 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# Which file decides what `pip install` does? And which files does the instruction before it copy?
#
# <details><summary>The steps</summary>
#
# 1. Copy the one file that the installation needs, then install.
# 2. Copy the source after that.
#
# <details><summary>Nearly all of it</summary>
#
# `COPY requirements.txt .` · `RUN pip install …` · `COPY . .`
#
# </details></details></details>

# %% answer="cache" language="bash"
# cd work/2-cache/flight-delays
# ### BEGIN SOLUTION
# cat > Dockerfile <<'EOF'
# FROM python:3.11-slim-bookworm
# WORKDIR /app
# COPY requirements.txt .
# RUN pip install --no-cache-dir -r requirements.txt
# COPY models models
# COPY service service
# USER 10001
# CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
# EOF
# ### END SOLUTION

# %% look=2 language="bash" tags=["nbval-ignore-output"]
# cd work/2-cache/flight-delays
# docker build -q -t flight-delays:2 . || exit 0
# echo "--- the layers, the newest first"
# docker history --format '{{.Size}}  {{.CreatedBy}}' flight-delays:2

# %% check="layers_reused"
check.layers_reused(work / "2-cache")

# %% [markdown] task=3
# ### 3 · What must not travel
#
# Whoever can pull an image can read every layer of it, with no more than `docker save` and `tar`.
# A layer only ever adds: `RUN rm .env` hides the key from `ls`, and leaves it in the layer before.
#
# `work/3-ignore/flight-delays` has `.env` with a key, and a CSV in `data/`. Its Dockerfile says
# `COPY . .`, which takes everything that is in the folder. Before that, the whole folder is sent to
# the engine, which may be another machine.
#
# **Do:** write a `.dockerignore`. It keeps back `.env`, its relatives such as `.env.production`, and
# every CSV in `data/`, next month's, too. `service/`, `models/` and `requirements.txt` must pass.
#
# **Leaves behind:** `.dockerignore`, and an image that has neither key nor data in any of its
# layers. **3 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# It looks like `.gitignore`. One difference matters: what does a pattern without a slash, such as
# `*.csv`, match here? Only at the top of the folder.
#
# <details><summary>The steps</summary>
#
# 1. One pattern a line, from the top of the folder.
# 2. `*` stands for any part of one name; `**/` for any number of folders.
# 3. Look into the image afterwards: `docker run --rm IMAGE find .`
#
# <details><summary>Nearly all of it</summary>
#
# `.env*` · `data/*.csv` · `.git`
#
# </details></details></details>

# %% answer="ignore" language="bash"
# cd work/3-ignore/flight-delays
# ### BEGIN SOLUTION
# printf '%s\n' '.env*' 'data' '.git' '**/__pycache__' 'tests' '*.md' > .dockerignore
# ### END SOLUTION

# %% look=3 language="bash" tags=["nbval-ignore-output"]
# cd work/3-ignore/flight-delays
# docker build -q -t flight-delays:3 . || exit 0
# docker run --rm flight-delays:3 find . -type f

# %% check="context_lean"
check.context_lean(work / "3-ignore")
### BEGIN HIDDEN TESTS
check.context_lean(
    work / "3-ignore",
    private=[".env.staging", "data/weather-2014.csv"],
    needed=["service/schemas.py", "models/late-2014.json"],
)
### END HIDDEN TESTS

# %% check="layers_clean"
check.layers_clean(work / "3-ignore")
### BEGIN HIDDEN TESTS
check.layers_clean(work / "3-ignore", others=True)
### END HIDDEN TESTS

# %% [markdown] task=4
# ### 4 · Nobody, on known ground
#
# Two defaults do harm quietly. Without `USER`, the service runs as root: whoever finds a hole in it
# is root in the container, one hole away from root on the machine. Without a version, `FROM python`
# means whatever is newest on the day of the build: the same Dockerfile makes another image in
# spring.
#
# **Do:** in `work/4-user/flight-delays`, name the version of the base, and run the service as a
# user without rights.
#
# **Leaves behind:** a Dockerfile with a pinned base; a container none of whose processes is root's,
# and which answers as before. **3 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# Which instructions still need root's rights, and which is the first that does not?
#
# <details><summary>The steps</summary>
#
# 1. A tag with a version after the name: `python:3.11-…`. A digest, `@sha256:…`, pins even harder.
# 2. `USER` holds for all instructions after it, and for the container.
#
# <details><summary>Nearly all of it</summary>
#
# `FROM python:3.11-slim-bookworm` · … · `USER 10001` before `CMD`. A number needs no account.
#
# </details></details></details>

# %% answer="user" language="bash"
# cd work/4-user/flight-delays
# ### BEGIN SOLUTION
# sed -i.before -e 's/^FROM python$/FROM python:3.11-slim-bookworm/' -e 's/^CMD/USER 10001\nCMD/' Dockerfile
# rm Dockerfile.before
# ### END SOLUTION

# %% look=4 language="bash" tags=["nbval-ignore-output"]
# cd work/4-user/flight-delays
# cat Dockerfile
# docker build -q -t flight-delays:4 . || exit 0
# docker run --rm flight-delays:4 id

# %% check="base_pinned"
check.base_pinned(work / "4-user")

# %% check="not_root"
check.not_root(work / "4-user")

# %% [markdown] task=5
# ### 5 · Leave the tools at home
#
# Tests belong into the build: an image whose tests fail should never exist. But pytest, the tests
# and what pip kept are of no use to a service. They are weight on every start of every server,
# and each of them is something that can have a hole.
#
# A Dockerfile may have several `FROM`. Each begins a new stage, with nothing of the one before but
# what `COPY --from=` takes from it. Only the last stage becomes the image.
#
# **Do:** split the Dockerfile in `work/5-stages/flight-delays`. A first stage runs the tests, and a
# failing test still ends the build. The last stage has the service and what it imports.
#
# **Leaves behind:** an image that serves, without pytest, tests or `requirements-dev.txt`, and with
# at most 30 MB in its own layers. **3 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# Which lines of the Dockerfile are for the tests, and which for the service? A few are for both.
#
# <details><summary>The steps</summary>
#
# 1. Give the first stage a name: `FROM … AS test`. It keeps the lines up to the test run.
# 2. A second `FROM` begins the image: install `requirements.txt` only, copy source and model.
# 3. BuildKit, the newer builder, skips a stage that nothing depends on. Copy something from the
#    tested stage, and it has to run: `COPY --from=test /app/service service`.
#
# <details><summary>Nearly all of it</summary>
#
# `FROM python:3.11-slim-bookworm AS test` · (the lines as they are, up to pytest) ·
# `FROM python:3.11-slim-bookworm` · `WORKDIR /app` · `COPY requirements.txt .` ·
# `RUN pip install --no-cache-dir -r requirements.txt` · `COPY --from=test /app/models models` · …
#
# </details></details></details>

# %% answer="stages" language="bash"
# cd work/5-stages/flight-delays
# ### BEGIN SOLUTION
# cat > Dockerfile <<'EOF'
# FROM python:3.11-slim-bookworm AS test
# WORKDIR /app
# COPY requirements.txt requirements-dev.txt ./
# RUN pip install --no-cache-dir -r requirements-dev.txt
# COPY models models
# COPY service service
# COPY tests tests
# RUN python -B -m pytest -q -p no:cacheprovider
#
# FROM python:3.11-slim-bookworm
# WORKDIR /app
# COPY requirements.txt .
# RUN pip install --no-cache-dir -r requirements.txt
# COPY --from=test /app/models models
# COPY --from=test /app/service service
# USER 10001
# CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
# EOF
# ### END SOLUTION

# %% look=5 language="bash" tags=["nbval-ignore-output"]
# cd work/5-stages/flight-delays
# docker build -q -t flight-delays:5 . || exit 0
# docker history --format '{{.Size}}  {{.CreatedBy}}' flight-delays:5 | head -8

# %% check="tests_run"
check.tests_run(work / "5-stages")

# %% check="tools_left"
check.tools_left(work / "5-stages")

# %% [markdown] task=6
# ### 6 · Is it well?
#
# A process that runs may still be of no use: its model is missing, its database does not answer.
# Nobody notices until somebody calls. With `HEALTHCHECK` the engine itself asks, every few seconds,
# by a command that you choose. Exit code 0 means well. After some failures in a row the container
# is `unhealthy`, and whoever runs it can act.
#
# The service has two addresses for this. `/live` says 200 as long as the process runs. `/health`
# says 503 when it cannot predict.
#
# **Do:** give the Dockerfile in `work/6-health/flight-delays` a `HEALTHCHECK`. The image has no
# curl; it does have Python.
#
# **Leaves behind:** an image whose container becomes healthy, and unhealthy when the model is
# missing. **3 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# Which of the two addresses would have told you that the model is missing? And how does a command
# say “not well”? By its exit code.
#
# <details><summary>The steps</summary>
#
# 1. `python -c "…"` ends with 1 if an error is raised in it.
# 2. `urllib.request.urlopen` raises an error for a 503.
# 3. `HEALTHCHECK --interval=… --timeout=… CMD […]` in the Dockerfile.
#
# <details><summary>Nearly all of it</summary>
#
# `CMD ["python", "-c", "from urllib.request import urlopen as u; u('http://127.0.0.1:8000/…')"]`
#
# </details></details></details>

# %% answer="health" language="bash"
# cd work/6-health/flight-delays
# ### BEGIN SOLUTION
# cat >> Dockerfile <<'EOF'
# HEALTHCHECK --interval=2s --timeout=3s --start-period=10s \
#   CMD ["python", "-c", "from urllib.request import urlopen as u; u('http://127.0.0.1:8000/health')"]
# EOF
# ### END SOLUTION

# %% look=6 language="bash" tags=["nbval-ignore-output"]
# cd work/6-health/flight-delays
# docker build -q -t flight-delays:6 . || exit 0
# id=$(docker run -d --rm flight-delays:6)
# for second in 1 2 3 4; do
#   sleep 1
#   docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}nobody asks{{end}}' "$id"
# done
# docker stop -t 1 "$id" > /dev/null

# %% check="healthy_when_well"
check.healthy_when_well(work / "6-health")

# %% check="unhealthy_without_model"
check.unhealthy_without_model(work / "6-health")

# %% [markdown] task=7
# ### 7 · Stop means stop
#
# Every release stops the old container. `docker stop`, like Kubernetes, sends SIGTERM to the
# container's first process and waits a while. A service that listens finishes the requests it has,
# closes, and is gone. One that does not hear is killed in the middle of its work, and makes
# everybody wait before that.
#
# The service in `work/7-stop/flight-delays` can do it. But the first process is a shell with a
# script, and a shell does not pass signals on.
#
# **Do:** see to it that the service gets the signal. What the script prints at the start may stay or
# go.
#
# **Leaves behind:** an image whose container ends within 2 seconds of SIGTERM, with the service's own
# last line in the log. **2 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# `docker top CONTAINER` lists its processes. Which one is the first?
#
# <details><summary>The steps</summary>
#
# 1. `CMD ["uvicorn", …]`, in brackets, starts uvicorn itself. `CMD uvicorn …` starts a shell.
# 2. In a script, `exec` before a command puts that command in the shell's place.
#
# <details><summary>Nearly all of it</summary>
#
# `exec uvicorn service.app:app …` as the script's last line, and `CMD ["sh", "start.sh"]`.
#
# </details></details></details>

# %% answer="stop" language="bash"
# cd work/7-stop/flight-delays
# ### BEGIN SOLUTION
# cat > start.sh <<'EOF'
# echo "starting on $(hostname)"
# exec uvicorn service.app:app --host 0.0.0.0 --port 8000
# EOF
# sed -i.before 's/^CMD .*/CMD ["sh", "start.sh"]/' Dockerfile
# rm Dockerfile.before
# ### END SOLUTION

# %% look=7 language="bash" tags=["nbval-ignore-output"]
# cd work/7-stop/flight-delays
# docker build -q -t flight-delays:7 . || exit 0
# id=$(docker run -d flight-delays:7)
# sleep 2
# time docker stop -t 5 "$id" > /dev/null
# docker logs "$id" 2>&1 | tail -3
# docker rm "$id" > /dev/null

# %% check="stops_in_time"
check.stops_in_time(work / "7-stop")

# %% [markdown] task=8
# ### 8 · One image, many places
#
# The image that was tested is the image that runs in production. Only then do tests mean anything.
# So what differs from place to place is not built in: the container gets it from outside, as
# environment variables.
#
# `service/settings.py` reads `THRESHOLD` already: from which probability on a flight is called late.
# The port is still fixed, in the command.
#
# **Do:** in `work/8-settings/flight-delays`, make `PORT` and `THRESHOLD` settings of the image, with
# the defaults 8000 and 0.3. It must still stop on SIGTERM.
#
# **Leaves behind:** one image that serves on 8000 with 0.3, and under `docker run -e PORT=… -e
# THRESHOLD=…` on that port with that threshold. **3 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# `CMD ["uvicorn", …, "--port", "$PORT"]` starts no shell. Who then would put the value in the place
# of `$PORT`?
#
# <details><summary>The steps</summary>
#
# 1. `ENV NAME=value` sets a default that `docker run -e` overrides.
# 2. A shell fills in variables. If you start one, let it step aside with `exec` (task 7).
#
# <details><summary>Nearly all of it</summary>
#
# `ENV PORT=8000 THRESHOLD=…` ·
# `CMD ["sh", "-c", "exec uvicorn service.app:app --host 0.0.0.0 --port $PORT"]`
#
# </details></details></details>

# %% answer="settings" language="bash"
# cd work/8-settings/flight-delays
# ### BEGIN SOLUTION
# grep -v '^CMD' Dockerfile > Dockerfile.new
# cat >> Dockerfile.new <<'EOF'
# ENV PORT=8000 THRESHOLD=0.3
# CMD ["sh", "-c", "exec uvicorn service.app:app --host 0.0.0.0 --port $PORT"]
# EOF
# mv Dockerfile.new Dockerfile
# ### END SOLUTION

# %% look=8 language="bash" tags=["nbval-ignore-output"]
# cd work/8-settings/flight-delays
# docker build -q -t flight-delays:8 . || exit 0
# id=$(docker run -d -e PORT=8080 flight-delays:8)
# sleep 2
# docker logs "$id"
# docker rm -f "$id" > /dev/null

# %% check="settings_default"
check.settings_default(work / "8-settings")

# %% check="settings_from_outside"
check.settings_from_outside(work / "8-settings")
### BEGIN HIDDEN TESTS
check.settings_from_outside(work / "8-settings", port=7070, threshold=0.45)
### END HIDDEN TESTS

# %% [markdown] task=9
# ### 9 · Two services, one file
#
# Soon there are several containers, with ports, limits and an order in which they start. A compose
# file says all of that, once, in a file under version control.
#
# **Do:** in `work/9-compose/flight-delays`, write `compose.yaml` with two services.
#
# - `api` is built from this folder. Port 8000 is published on 127.0.0.1 only. It may use no more
#   than a limit of memory that you set.
# - `prometheus` is `prom/prometheus` in a version that you name. It gets `prometheus.yml` of this
#   folder as `/etc/prometheus/prometheus.yml`, read-only, and starts when `api` is *healthy*.
#
# **Leaves behind:** a `compose.yaml` that keeps to the Compose Specification and says all of this.
# **3 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# `prometheus.yml` asks for metrics at `api:8000`. Where does the name `api` come from?
#
# <details><summary>The steps</summary>
#
# 1. `services:`, below it one key a service.
# 2. `ports` and `volumes` are lists of `"outside:inside"`, with an address before or `:ro` behind.
# 3. `depends_on` has a long form, with a `condition` a service.
#
# <details><summary>Nearly all of it</summary>
#
# `build: .` · `ports: ["127.0.0.1:8000:8000"]` · `mem_limit: 256m` ·
# `depends_on: {api: {condition: service_healthy}}`
#
# </details></details></details>

# %% answer="compose" language="bash"
# cd work/9-compose/flight-delays
# ### BEGIN SOLUTION
# cat > compose.yaml <<'EOF'
# services:
#   api:
#     build: .
#     ports:
#       - "127.0.0.1:8000:8000"
#     mem_limit: 256m
#   prometheus:
#     image: prom/prometheus:v3.5.0
#     volumes:
#       - ./prometheus.yml:/etc/prometheus/prometheus.yml:ro
#     depends_on:
#       api:
#         condition: service_healthy
# EOF
# ### END SOLUTION

# %% look=9 language="bash"
# cd work/9-compose/flight-delays
# if [ -f compose.yaml ]; then
#   check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
# else
#   echo "no compose.yaml yet"
# fi

# %% check="compose_valid"
check.compose_valid(work / "9-compose")

# %% check="compose_wired"
check.compose_wired(work / "9-compose")

# %% [markdown] task=10
# ### 10 · A second pair of eyes
#
# Much of what you did by hand so far, a linter sees in a tenth of a second. hadolint knows some
# hundred rules, each with a number and a reason. `DL3013`, say, means packages without a version:
# they make another image next month. `DL3025` is task 7.
#
# The Dockerfile in `work/10-lint/flight-delays` was sent in by a colleague. It has a dozen findings.
#
# **Do:** correct it until hadolint is silent. Do not switch rules off. The image must still serve.
#
# **Leaves behind:** a Dockerfile without findings. **3 points**

# %% [markdown] hint=10
# <details><summary>Hint</summary>
#
# The look cell below prints a line a finding: line, rule, what to do. Which of them go away together
# if you write one line as you did in task 1?
#
# <details><summary>The steps</summary>
#
# 1. Base: a version. Folder: an absolute path. `MAINTAINER` is gone from the language; a `LABEL`
#    says it.
# 2. Packages from `requirements.txt`, where their versions stand. `COPY` for files.
# 3. Last, a user other than root, and a command in brackets.
#
# <details><summary>Nearly all of it</summary>
#
# The Dockerfile of task 4, as you left it.
#
# </details></details></details>

# %% answer="lint" language="bash"
# cd work/10-lint/flight-delays
# ### BEGIN SOLUTION
# cat > Dockerfile <<'EOF'
# FROM python:3.11-slim-bookworm
# WORKDIR /app
# COPY requirements.txt .
# RUN pip install --no-cache-dir -r requirements.txt
# LABEL org.opencontainers.image.authors="ana@example.org"
# COPY models models
# COPY service service
# USER 10001
# CMD ["uvicorn", "service.app:app", "--host", "0.0.0.0", "--port", "8000"]
# EOF
# ### END SOLUTION

# %% look=10 language="bash"
# cd work/10-lint/flight-delays
# hadolint --no-color Dockerfile || true

# %% check="lint_clean"
check.lint_clean(work / "10-lint")

# %% check="still_serves"
check.still_serves(work / "10-lint")

# %% [markdown] task=11
# ### 11 · Docker from Python
#
# Pipelines and tests drive the engine by program. What a person types once, a program does a
# thousand times, so it has to clean up, above all when something goes wrong. The `docker` package
# speaks the engine's own language; every command has its method.
#
# **Do:** finish `ops.py` in `work/11-sdk/flight-delays`. It gets a flight as its argument, builds
# the folder's image, and runs it with at most 256 MB of memory and port 8000 published on
# 127.0.0.1. It waits until the container is healthy, asks `/predict`, prints the answer, writes the
# container's log to `service.log`, and removes the container. If the service is not healthy within
# 30 seconds, it ends with an error, and removes the container all the same.
#
# The grader runs your script with a gate in the place of the engine: you may build, and run what you
# built. `exec`, volumes and privileges stay closed.
#
# **Leaves behind:** `ops.py`, which does this. **4 points**

# %% [markdown] hint=11
# <details><summary>Hint</summary>
#
# Which line must happen whatever the lines before it did? Python has a word for that.
#
# <details><summary>The steps</summary>
#
# 1. `docker.from_env()` is the client; `client.images.build(path=".")` returns the image first.
# 2. `client.containers.run(image, detach=True, mem_limit=…, ports=…)` returns the container.
# 3. `container.reload()` asks the engine anew; `container.health` is then what it said.
# 4. `try:` … `finally: container.remove(force=True)`
#
# <details><summary>Nearly all of it</summary>
#
# `ports={"8000/tcp": ("127.0.0.1", None)}` takes a free port, which is in
# `container.ports["8000/tcp"][0]["HostPort"]` after a `reload()`. Then a loop until the health is
# `healthy`, with a deadline, and `urllib.request.urlopen`.
#
# </details></details></details>

# %% answer="sdk" language="bash"
# cd work/11-sdk/flight-delays
# ### BEGIN SOLUTION
# cat > ops.py <<'EOF'
# """Build the service, run it, ask it once, and leave nothing behind."""
#
# import json
# import sys
# import time
# from pathlib import Path
# from urllib.request import Request, urlopen
#
# import docker
#
#
# def until_healthy(container, seconds=30):
#     """Wait; raise an error if the container is not healthy in time."""
#     deadline = time.monotonic() + seconds
#     while time.monotonic() < deadline:
#         container.reload()
#         if container.health == "healthy":
#             return
#         if container.health == "unhealthy" or container.status == "exited":
#             break
#         time.sleep(0.3)
#     raise RuntimeError(f"the service is {container.health}")
#
#
# def main(flight):
#     """Print what the service answers for a flight; raise an error if it is not well."""
#     client = docker.from_env()
#     image, _ = client.images.build(path=".", tag="flight-delays:ops")
#     container = client.containers.run(
#         image, detach=True, mem_limit="256m", ports={"8000/tcp": ("127.0.0.1", None)}
#     )
#     try:
#         until_healthy(container)
#         port = container.ports["8000/tcp"][0]["HostPort"]
#         body = json.dumps(flight).encode()
#         ask = Request(
#             f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"}
#         )
#         print(urlopen(ask, timeout=10).read().decode())
#         Path("service.log").write_bytes(container.logs())
#     finally:
#         container.remove(force=True)
#
#
# if __name__ == "__main__":
#     main(json.loads(sys.argv[1]))
# EOF
# ### END SOLUTION

# %% look=11 language="bash" tags=["nbval-ignore-output"]
# cd work/11-sdk/flight-delays
# python ops.py '{"month": 7, "sched_dep_time": 1745, "carrier": "EV", "origin": "EWR", "distance": 200}' 2>&1 | tail -1
# cat service.log 2> /dev/null || true

# %% check="sdk_runs"
check.sdk_runs(work / "11-sdk")

# %% check="sdk_cleans_up"
check.sdk_cleans_up(work / "11-sdk")

# %% [markdown] task=12
# ### 12 · A name that cannot change
#
# A registry keeps images for all machines. A tag there is a label that can be moved: `1.4.0` may be
# another image tomorrow. A **digest** is computed from what is in the image. Whoever runs
# `flight-delays@sha256:…` runs what was tested, or nothing.
#
# **Do:** finish `release.py` in `work/12-registry/flight-delays`. It gets the address of a registry
# and a version. It builds the folder's image as `REGISTRY/flight-delays:VERSION`, pushes it, pulls
# it back by its digest, and writes that name, `REGISTRY/flight-delays@sha256:…`, to `deploy.txt`.
#
# The grader runs it with a registry of its own and a version you do not know. The look cell does the
# same with one of yours: a registry is a container, too.
#
# **Leaves behind:** `release.py`, which does this. **3 points**

# %% [markdown] hint=12
# <details><summary>Hint</summary>
#
# How does `docker push` know where to? There is no option for it: the address is part of the name.
#
# <details><summary>The steps</summary>
#
# 1. `client.images.build(path=".", tag=f"{repository}:{version}")`
# 2. `client.images.push(repository, tag=version, stream=True, decode=True)` tells what happens,
#    line by line; the loop over it is what does it. An error is one of the lines, too.
# 3. After the push, `image.reload()` and `image.attrs["RepoDigests"]`.
#
# <details><summary>Nearly all of it</summary>
#
# One of the lines of the push has `{"aux": {"Digest": "sha256:…"}}`. Then
# `client.images.pull(f"{repository}@{digest}")`.
#
# </details></details></details>

# %% answer="release" language="bash"
# cd work/12-registry/flight-delays
# ### BEGIN SOLUTION
# cat > release.py <<'EOF'
# """Push the image under its version, and note by which name it can be trusted."""
#
# import sys
# from pathlib import Path
#
# import docker
#
#
# def main(registry, version):
#     """Write the image's name with its digest to deploy.txt."""
#     client = docker.from_env()
#     repository = f"{registry}/flight-delays"
#     client.images.build(path=".", tag=f"{repository}:{version}")
#     digest = ""
#     for line in client.images.push(repository, tag=version, stream=True, decode=True):
#         if "error" in line:
#             raise RuntimeError(line["error"])
#         digest = line.get("aux", {}).get("Digest", digest)
#     client.images.pull(f"{repository}@{digest}")
#     Path("deploy.txt").write_text(f"{repository}@{digest}\n")
#
#
# if __name__ == "__main__":
#     main(*sys.argv[1:])
# EOF
# ### END SOLUTION

# %% look=12 language="bash" tags=["nbval-ignore-output"]
# cd work/12-registry/flight-delays
# id=$(docker run -d --rm -p 127.0.0.1::5000 registry:2) || exit 0
# sleep 1
# python release.py "localhost:$(docker port "$id" 5000 | sed 's/.*://')" 0.1.0 2>&1 | tail -1
# cat deploy.txt 2> /dev/null || true
# docker stop "$id" > /dev/null

# %% check="pushed_by_version"
check.pushed_by_version(work / "12-registry")

# %% check="pulled_by_digest"
check.pulled_by_digest(work / "12-registry")

# %% [markdown]
# ## Cleaning up
#
# What you built takes room. `docker image prune` removes what has no name any more; this cell
# removes the images of this lab.

# %% language="bash" tags=["nbval-ignore-output"]
# docker image rm $(docker image ls -q flight-delays) 2> /dev/null | grep -c Untagged || true

# %%
lab.summary()
