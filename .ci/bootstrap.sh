#!/bin/sh
# Finds Python and uv, and keeps .venv equal to uv.lock.
#
#   sh .ci/bootstrap.sh sync           make or refresh .venv, and .venv-NAME for each
#                                      environments/NAME; if nothing changed, done at once
#   sh .ci/bootstrap.sh extra          the .venv-NAME only, as Binder and conda need them
#   sh .ci/bootstrap.sh uv ARGUMENTS   run uv the way this project does
#
# uv comes from your PATH if it is recent enough, else from PyPI into .uv/.
# Python is your system's; to choose another: make PYTHON=/path/to/python3.12 lab
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

UV_MINOR=9 # uv 0.9 or newer
STAMP=.venv/.synced

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# The line that installs Debian packages on this machine.
install_line() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "your package manager: install $*"
  elif [ "$(id -u)" = 0 ]; then
    echo "apt-get install $*"
  else
    echo "sudo apt-get install $*"
  fi
}

# Does this interpreter run, and is it one that pyproject.toml allows?
fits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# Sets $python to the path of an interpreter that fits. An environment that works keeps its own.
find_python() {
  python=
  if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python 3.11, 3.12 or 3.13: name one that is."
    python=$PYTHON
  else
    for candidate in .venv/bin/python python3 python3.13 python3.12 python3.11; do
      if fits "$candidate"; then
        python=$candidate
        break
      fi
    done
  fi
  if [ -z "$python" ]; then
    version=$(python3 -c 'import platform; print(platform.python_version())' 2>/dev/null) || version=
    if [ -z "$version" ]; then
      fail "Python is missing; you need 3.11, 3.12 or 3.13. Run: $(install_line python3 python3-venv)"
    fi
    fail "You need Python 3.11, 3.12 or 3.13; python3 is $version. Install one of them" \
      "(python.org has them), then run: make PYTHON=/path/to/python3.12"
  fi
  # Past shims and virtual environments, to the interpreter itself.
  python=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)')
}

# Is this uv there, and recent enough?
recent() {
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#uv }
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  case "$major$minor" in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 0 ] || [ "$minor" -ge "$UV_MINOR" ]
}

# Sets $uv, installing it into .uv/ if it has to.
find_uv() {
  for uv in uv .uv/bin/uv; do
    if recent "$uv"; then return; fi
  done
  uv=.uv/bin/uv
  if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    with=venv
  elif "$python" -c 'import pip' 2>/dev/null; then
    with=pip
  else
    package=${python##*/}-venv
    if [ "$(readlink -f /usr/bin/python3)" = "$(readlink -f "$python")" ]; then
      package=python3-venv
    fi
    fail "Python's venv is incomplete (ensurepip is missing). Run: $(install_line "$package")"
  fi
  say "uv is not here (or too old): installing it into .uv/, once."
  rm -rf .uv
  if [ "$with" = venv ]; then
    "$python" -m venv .uv &&
      .uv/bin/pip install --quiet --disable-pip-version-check "uv>=0.$UV_MINOR"
  else
    "$python" -m pip install --quiet --disable-pip-version-check --target .uv "uv>=0.$UV_MINOR"
  fi || fail "uv could not be installed; pip says why above. Is the network there?"
  recent "$uv" || fail "$uv does not run. Delete .uv and try again, or install uv yourself: https://docs.astral.sh/uv"
}

# Everything that, if it changes, makes .venv stale.
fingerprint() {
  printf '%s\n' "$(pwd -P)" "${PYTHON:-}"
  cat pyproject.toml uv.lock environments/*/uv.lock .ci/bootstrap.sh | cksum
}

prepare() {
  find_python
  find_uv
  # Whatever else is active in your shell: this project's environment is .venv.
  unset VIRTUAL_ENV
  export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON="$python" UV_PYTHON_DOWNLOADS=never
  export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"
  # Once, here, and not at every start of every tool: the sandbox cannot write what it compiles.
  export UV_COMPILE_BYTECODE=1
}

sync() {
  wanted=$(fingerprint)
  if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && fits .venv/bin/python; then
    return
  fi
  start=$(date +%s)
  if [ -f "$STAMP" ] && [ "$(head -n 1 "$STAMP")" != "$(pwd -P)" ]; then
    say "This folder has moved, and .venv remembers the old place: making it anew."
    rm -rf .venv .venv-*
  fi
  prepare
  rm -f "$STAMP"
  if [ -d .venv ]; then
    say "Bringing .venv up to date with uv.lock."
  else
    say "Setting up .venv: about 1.1 GB to download, once; that may take some minutes."
  fi
  # Progress bars are for people; a log gets the outcome.
  if [ -t 2 ]; then quiet=; else quiet=--quiet; fi
  # What was handed out to learners has no tests, and needs nothing that tests need.
  if [ -d tests ]; then group=; else group=--no-dev; fi
  # shellcheck disable=SC2086 # no words where they are empty
  "$uv" sync --frozen $quiet $group ||
    fail "uv could not set up .venv; its message is above. Is the network there? Then run the same command again."
  extra
  printf '%s\n' "$wanted" >"$STAMP"
  say ".venv is ready after $(($(date +%s) - start)) s."
}

# Tools that do not get along with the others have an environment of their own; Python compiles them
# when a notebook first uses them.
extra() {
  for folder in environments/*/; do
    name=$(basename "$folder")
    UV_PROJECT_ENVIRONMENT="$(pwd -P)/.venv-$name" UV_COMPILE_BYTECODE=0 \
      "$uv" sync --frozen --quiet --project "$folder" ||
      fail "uv could not set up .venv-$name; its message is above. Is the network there? Then run the same command again."
  done
}

command -v git >/dev/null 2>&1 || fail "git is missing; the labs and DVC need it. Run: $(install_line git)"

case "${1:-}" in
  sync) sync ;;
  extra)
    prepare
    extra
    ;;
  uv)
    shift
    prepare
    exec "$uv" "$@"
    ;;
  *) fail "Usage: sh .ci/bootstrap.sh sync | extra | uv ARGUMENTS" ;;
esac
