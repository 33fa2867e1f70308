#!/usr/bin/env bash
# The steps of Binder's image as repo2docker orders them, and a session in it. `.ci/bare.sh --binder`
# calls this in a small Debian, as a user without rights, in a clone of the course.
#
# Two things differ from the real image: packages of binder/environment.yml come by pip into a venv of
# Debian's Python, not by conda; and Debian stands for Ubuntu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lap=$SECONDS
took() {
  echo "── $1: $((SECONDS - lap)) s"
  lap=$SECONDS
}

env=$HOME/env
python3 -m venv "$env"
sed -n 's/^      - //p' binder/environment.yml >"$HOME/pins.txt"
"$env/bin/pip" install --quiet --disable-pip-version-check --requirement "$HOME/pins.txt"
export PATH="$env/bin:$PATH"
took "environment.yml: $(wc -l <"$HOME/pins.txt") pins"
binder/postBuild
took "postBuild"

port=8899
binder/start jupyter lab --no-browser --ServerApp.port=$port --IdentityProvider.token= >"$HOME/log" 2>&1 &
trap 'kill %1' EXIT
at="http://127.0.0.1:$port"
python - "$at" <<'END'
import sys, time, urllib.request
for _ in range(300):
    try:
        page = urllib.request.urlopen(sys.argv[1], timeout=5)
        break
    except OSError:
        time.sleep(0.2)
assert page.url.endswith("/lab/tree/course/roadmap.ipynb"), page.url
for name in ("progress", "labs", "help"):
    with urllib.request.urlopen(f"{sys.argv[1]}/workbook/{name}", timeout=60) as page:
        assert page.status == 200
END
took "a session that opens on the roadmap, with progress, labs and help"

# Every lab's solution in a kernel, while we look at the memory of all processes of this user.
python - <<'END'
import pathlib, psutil, threading
import nbformat
from nbclient import NotebookClient

peak, stop = [0], threading.Event()
def watch():
    me = psutil.Process().username()
    while not stop.wait(0.5):
        used = 0
        for process in psutil.process_iter(["username"]):
            try:
                used += process.memory_full_info().pss if process.info["username"] == me else 0
            except psutil.Error:
                pass
        peak[0] = max(peak[0], used)
threading.Thread(target=watch, daemon=True).start()
for path in sorted(pathlib.Path("solutions").glob("*/*.ipynb")):
    peak[0] = 0
    nb = nbformat.read(path, 4)
    client = NotebookClient(nb, timeout=600, resources={"metadata": {"path": str(path.parent)}}, allow_errors=True)
    client.execute()
    wrong = sum(o.output_type == "error" for c in nb.cells for o in c.get("outputs", []))
    print(f"{path.stem}: {peak[0] / 2**30:.2f} GB in use at most, {wrong} cells that failed")
stop.set()
END
took "every lab's solution"
