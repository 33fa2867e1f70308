"""Does five tasks from Python with dulwich, and never starts Git for them."""

CELLS = {
    "identity": r"""
from dulwich import porcelain

repo = porcelain.init("work/1-first-commit/flight-delays")
repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
repo.get_worktree().stage(["README.md", "features.py"])
ada = b"Ada Lovelace <ada@example.org>"
porcelain.commit(repo, message=b"Describe the product", author=ada, committer=ada)
""",
    "ignore": r"""
from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo

folder = Path("work/2-ignore/flight-delays")
(folder / ".gitignore").write_text(".env\ndata/*.csv\nmodels/\n")
repo = Repo(str(folder))
repo.get_worktree().stage([".gitignore", "data/README.md"])
porcelain.commit(repo, message=b"Keep data and keys out of the repository")
repo.get_worktree().stage(["features.py", "train.py", "tests/test_features.py"])
porcelain.commit(repo, message=b"Add the features and the training")
""",
    "release": r"""
from dulwich import porcelain
from dulwich.repo import Repo

repo = Repo("work/8-release/flight-delays")
commit = next(
    entry.commit.id
    for entry in repo.get_walker(paths=[b"VERSION"])
    if entry.commit.message.startswith(b"Set the version")
)
porcelain.tag_create(
    repo, b"v0.2.0", message=b"The model knows the carrier", annotated=True, objectish=commit
)
""",
    "bisect": r"""
import subprocess
from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo

folder = Path("work/7-bisect/flight-delays")
repo = Repo(str(folder))
line = b"_, hours = divmod"
for entry in repo.get_walker(paths=[b"model.py"], reverse=True):
    tree = repo[entry.commit.tree]
    if line in repo[tree[b"model.py"][1]].data:
        porcelain.tag_create(repo, b"broke-the-metric", objectish=entry.commit.id)
        break
model = folder / "model.py"
model.write_text(model.read_text().replace("_, hours = divmod", "hours, _ = divmod"))
repo.get_worktree().stage(["model.py"])
porcelain.commit(repo, message=b"Take the hours from divmod, not the minutes")
""",
    "revert": r"""
from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo

folder = Path("work/10-revert/flight-delays")
labels = folder / "labels.py"
labels.write_text(labels.read_text().replace("LATE = 60", "LATE = 15"))
repo = Repo(str(folder))
repo.get_worktree().stage(["labels.py"])
porcelain.commit(repo, message=b"Count flights as late from 15 minutes on again")
porcelain.push(repo, str(folder.parent / "origin.git"), b"refs/heads/main")
""",
}
