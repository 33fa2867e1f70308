"""The reader of learners' repositories: agrees with Git, follows nothing, gives up in time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import gitread, gitstore
from autograder.gitread import Unreadable, open_repository

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENV, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode("utf-8", "replace").strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Three commits, a merge, a branch, both kinds of tag."""
    folder = tmp_path / "work" / "1-any" / "repo"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    long = "".join(f"line {n}\n" for n in range(2000))
    for n in range(3):
        (folder / "long.txt").write_text(long.replace("line 7\n", f"line seven {n}\n"))
        (folder / "deep" / "er").mkdir(parents=True, exist_ok=True)
        (folder / "deep" / "er" / "file").write_text(str(n))
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"Commit number {n}\n\nBody.")
    git(folder, "branch", "side", "HEAD~1")
    git(folder, "switch", "-q", "side")
    git(folder, "commit", "-q", "--allow-empty", "-m", "On the side")
    git(folder, "switch", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "--no-edit", "side")
    git(folder, "tag", "light")
    git(folder, "tag", "-a", "v1", "-m", "One", "HEAD~1")
    return folder


def write_object(repo: Path, kind: str, body: bytes, name: str | None = None) -> str:
    """Write a loose object, whatever it holds; ``name`` lets it lie about its hash."""
    raw = f"{kind} {len(body)}\0".encode() + body
    name = name or hashlib.sha1(raw).hexdigest()
    path = repo / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(raw))
    return name


def write_commit(repo: Path, tree: str, *parents: str, message: bytes = b"Message") -> str:
    who = b"Ada <ada@example.org> 1700000000 +0000"
    head = [b"tree " + tree.encode(), *(b"parent " + p.encode() for p in parents)]
    body = b"\n".join([*head, b"author " + who, b"committer " + who, b"", message])
    return write_object(repo, "commit", body)


def write_tree(repo: Path, *entries: tuple[str, bytes, str]) -> str:
    body = b"".join(m.encode() + b" " + n + b"\0" + bytes.fromhex(i) for m, n, i in entries)
    return write_object(repo, "tree", body)


def point(repo: Path, object_id: str, branch: str = "main") -> None:
    (repo / ".git" / "refs" / "heads" / branch).write_text(object_id + "\n")


# Agrees with Git, and with dulwich


@pytest.mark.parametrize("packed", [False, True])
def test_reads_what_git_reads(repo: Path, packed: bool) -> None:
    if packed:
        git(repo, "gc", "-q", "--aggressive", "--prune=now")
        assert not list((repo / ".git" / "refs" / "heads").glob("*"))
    found = open_repository(repo)
    assert found.branches == ["main", "side"]
    assert found.tags == ["light", "v1"]
    assert found.head == "main"
    assert found.branch("main").id == git(repo, "rev-parse", "main")
    assert {c.id for c in found.history("main")} == set(git(repo, "rev-list", "main").split())
    assert [c.id for c in found.first_parents("main")] == git(
        repo, "rev-list", "--first-parent", "main"
    ).split()
    assert (
        sorted(found.files("main"))
        == git(repo, "ls-tree", "-r", "--name-only", "main").splitlines()
    )
    assert found.text("side", "deep/er/file") == "1"
    for commit in found.history("main"):
        shown = git(repo, "show", f"{commit.id}:long.txt") + "\n"
        assert found.text(commit, "long.txt") == shown
    base = git(repo, "merge-base", "main^1", "main^2")
    one, other = found.branch("main").parents
    assert [c.id for c in found.merge_bases(one, other)] == [base]
    assert found.is_ancestor("side", "main")
    assert not found.is_ancestor("main", "side")


@pytest.mark.parametrize("packed", [False, True])
def test_every_object_is_what_dulwich_says(repo: Path, packed: bool) -> None:
    from dulwich.repo import Repo

    if packed:
        git(repo, "gc", "-q", "--aggressive", "--prune=now")
        assert "chain length" in git(repo, "verify-pack", "-v", *_packs(repo))
    with Repo(str(repo)) as oracle:
        ours = {i: (kind, body) for i, kind, body in open_repository(repo).objects()}
        theirs = {i.decode(): oracle[i] for i in oracle.object_store}
        assert ours.keys() == theirs.keys()
        for object_id, (kind, body) in ours.items():
            assert theirs[object_id].type_name.decode() == kind
            assert theirs[object_id].as_raw_string() == body


def _packs(repo: Path) -> list[str]:
    return [str(p) for p in (repo / ".git" / "objects" / "pack").glob("*.idx")]


def test_a_pack_with_references_by_name(repo: Path) -> None:
    git(repo, "config", "repack.usedeltabaseoffset", "false")
    git(repo, "repack", "-q", "-a", "-d", "-f")
    assert len(list(open_repository(repo).objects())) >= 10


def test_tags(repo: Path) -> None:
    found = open_repository(repo)
    tag = found.tag("v1")
    assert tag is not None and tag.message == "One" and tag.tagger is not None
    assert found.find("v1").id == git(repo, "rev-parse", "v1^{commit}")
    assert found.tag("light") is None
    assert found.tag("absent") is None


def test_stash_entries_below_the_first_have_no_ref(repo: Path) -> None:
    for n in range(3):
        (repo / "long.txt").write_text(str(n))
        git(repo, "stash")
    assert open_repository(repo).stash == [
        git(repo, "rev-parse", f"stash@{{{n}}}") for n in range(3)
    ]


def test_changes_of_a_commit(repo: Path) -> None:
    git(repo, "rm", "-q", "long.txt")
    git(repo, "commit", "-q", "-m", "Remove the long one")
    found = open_repository(repo)
    assert found.changes(found.branch("main")) == {"long.txt": None}


def test_a_merge_under_way_is_noticed(repo: Path) -> None:
    (repo / ".git" / "MERGE_HEAD").write_text("")
    assert open_repository(repo).busy_with == "merge"


def test_detached_head_and_bare_repository(repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "-q", "--detach", "side")
    assert open_repository(repo).head == ""
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    assert open_repository(tmp_path / "bare.git").branch("main").subject.startswith("Merge")


def test_folders_that_a_copy_loses_are_not_missed(repo: Path) -> None:
    git(repo, "gc", "-q")
    for name in ("refs/heads", "refs/tags", "refs", "objects/info", "branches"):
        folder = repo / ".git" / name
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
    assert open_repository(repo).branch("main").subject


def test_names_and_messages_that_are_not_utf8(repo: Path) -> None:
    blob = write_object(repo, "blob", b"x")
    tree = write_tree(repo, ("100644", b"caf\xe9", blob), ("100644", b"\x1b[31m", blob))
    point(repo, write_commit(repo, tree, message=b"na\xefve \x1b[2J"))
    tip = open_repository(repo).branch("main")
    assert "\x1b" not in str(tip)
    assert len(open_repository(repo).files(tip)) == 2


def test_looking_through_everything_again_and_again_has_an_end(repo: Path) -> None:
    found = open_repository(repo, max_steps=100)
    with pytest.raises(Unreadable, match="too many"):
        while True:
            found.files("main")


def test_extract(repo: Path, tmp_path: Path) -> None:
    into = tmp_path / "out"
    into.mkdir()
    open_repository(repo).extract("main", into)
    assert (into / "deep" / "er" / "file").read_text() == "2"


# Says clearly what it does not read


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"no \.git"):
        open_repository(tmp_path)
    with pytest.raises(Unreadable, match="no such folder"):
        open_repository(tmp_path / "absent")


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    with pytest.raises(Unreadable, match="no commit"):
        open_repository(tmp_path).branch("main")


def test_an_absent_branch_is_named_with_those_there_are(repo: Path) -> None:
    with pytest.raises(Unreadable, match="main, side"):
        open_repository(repo).branch("feature/x")


def test_other_formats(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    with pytest.raises(Unreadable, match="SHA-256"):
        open_repository(tmp_path)
    (tmp_path / ".git" / "config").write_text("[extensions]\n\trefStorage = reftable\n")
    with pytest.raises(Unreadable, match="reftable"):
        open_repository(tmp_path)


def test_a_shallow_clone(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    with pytest.raises(Unreadable, match="shallow"):
        open_repository(tmp_path / "shallow").history("main")


# Follows nothing


def _move_git_away(repo: Path) -> Path:
    away = repo.parent / "elsewhere"
    (repo / ".git").rename(away)
    return away


def _link_git(repo: Path) -> None:
    (repo / ".git").symlink_to(_move_git_away(repo))


def _point_git(repo: Path) -> None:
    (repo / ".git").write_text(f"gitdir: {_move_git_away(repo)}\n")


def _common_dir(repo: Path) -> None:
    (repo / ".git" / "commondir").write_text("../../elsewhere\n")


def _alternates(repo: Path) -> None:
    (repo / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "objects" / "info" / "alternates").write_text("/somewhere/objects\n")


def _link_inside(name: str) -> Callable[[Path], None]:
    def change(repo: Path) -> None:
        inner = repo / ".git" / name
        away = repo.parent / "elsewhere"
        inner.rename(away)
        inner.symlink_to(away)

    return change


def _pipe(repo: Path) -> None:
    object_id = git(repo, "rev-parse", "main")
    path = repo / ".git" / "objects" / object_id[:2] / object_id[2:]
    path.unlink()
    os.mkfifo(path)


def _forged_object(repo: Path) -> None:
    tip = open_repository(repo).branch("main")
    write_object(repo, "commit", f"tree {tip.tree}\n\nAnother".encode(), name=tip.id)


def _lost_object(repo: Path) -> None:
    object_id = git(repo, "rev-parse", "main~1^{tree}")
    (repo / ".git" / "objects" / object_id[:2] / object_id[2:]).unlink()


def _bomb(repo: Path) -> None:
    body = b"0" * (2 * gitstore.MAX_OBJECT)
    point(
        repo,
        write_commit(repo, write_tree(repo, ("100644", b"0", write_object(repo, "blob", body)))),
    )


def _tree_bomb(repo: Path) -> None:
    below = write_tree(
        repo, *[("100644", b"%d" % n, write_object(repo, "blob", b"")) for n in range(9)]
    )
    for _ in range(9):
        below = write_tree(repo, *[("40000", b"%d" % n, below) for n in range(9)])
    point(repo, write_commit(repo, below))


def _long_history(repo: Path) -> None:
    stream = b"".join(
        b"commit refs/heads/main\ncommitter A <a@b.c> 0 +0000\ndata 1\nx\n"
        for _ in range(gitread.MAX_COMMITS + 1)
    )
    git(repo, "fast-import", "--quiet", "--force", stdin=stream)


def _garbage_pack(repo: Path) -> None:
    git(repo, "gc", "-q")
    (pack,) = (repo / ".git" / "objects" / "pack").glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:40] + b"\x80" * 5000)


def _garbage_index(repo: Path) -> None:
    git(repo, "gc", "-q")
    (index,) = (repo / ".git" / "objects" / "pack").glob("*.idx")
    index.chmod(0o600)
    index.write_bytes(b"\377tOc\0\0\0\2" + b"\xff" * 4000)


def _malformed_commit(repo: Path) -> None:
    point(repo, write_object(repo, "commit", b"tree ../../../etc/passwd\nparent x\n\n"))


def _malformed_tree(repo: Path) -> None:
    point(repo, write_commit(repo, write_object(repo, "tree", b"nonsense")))


def _branch_names_a_tree(repo: Path) -> None:
    point(repo, git(repo, "rev-parse", "main^{tree}"))


def _tag_of_itself(repo: Path) -> None:
    # A tag cannot name itself without breaking SHA-1, so a long chain has to do.
    target = git(repo, "rev-parse", "main")
    for n in range(gitread.MAX_DEPTH + 1):
        kind = "tag" if n else "commit"
        target = write_object(repo, "tag", f"object {target}\ntype {kind}\ntag t\n\nm".encode())
    point(repo, target)


def _circular_name(repo: Path) -> None:
    (repo / ".git" / "refs" / "heads" / "main").write_text("ref: refs/heads/other\n")
    (repo / ".git" / "refs" / "heads" / "other").write_text("ref: refs/heads/main\n")


HOSTILE: dict[str, Callable[[Path], None]] = {
    f.__name__.strip("_"): f
    for f in (
        _link_git,
        _point_git,
        _common_dir,
        _alternates,
        _pipe,
        _forged_object,
        _lost_object,
        _bomb,
        _tree_bomb,
        _long_history,
        _garbage_pack,
        _garbage_index,
        _malformed_commit,
        _malformed_tree,
        _branch_names_a_tree,
        _tag_of_itself,
        _circular_name,
    )
} | {f"link_{name}": _link_inside(name) for name in ("objects", "refs", "HEAD", "config")}


def read_everything(folder: Path) -> None:
    found = open_repository(folder)
    assert found.head
    for commit in found.history(found.branch("main"), *found.named().values()):
        found.files(commit)
        for _, _, blob in found.blobs(commit):
            found.blob(blob)
    list(found.objects())


@pytest.mark.parametrize("change", HOSTILE)
def test_a_hostile_repository_ends_in_a_message(repo: Path, change: str) -> None:
    HOSTILE[change](repo)
    began = time.perf_counter()
    with pytest.raises(Unreadable) as caught:
        read_everything(repo)
    assert time.perf_counter() - began < 5
    assert all((caught.value.looked, caught.value.found, caught.value.expected, caught.value.hint))
    assert str(repo) not in caught.value.found


@pytest.mark.parametrize(
    "entry",
    [
        ("100644", b"..", "blob"),
        ("100644", b"../escaped", "blob"),
        ("100644", b".git", "blob"),
        ("100644", b".GIT", "blob"),
        ("100644", b"git~1", "blob"),
        ("100644", b"/etc/passwd", "blob"),
        ("100644", b"C:\\x", "blob"),
        ("120000", b"link", "blob"),
        ("160000", b"submodule", "blob"),
        ("100644", b"", "blob"),
    ],
)
def test_extract_writes_nothing_outside(
    repo: Path, tmp_path: Path, entry: tuple[str, bytes, str]
) -> None:
    mode, name, _ = entry
    blob = write_object(repo, "blob", b"x")
    point(repo, write_commit(repo, write_tree(repo, (mode, name, blob))))
    into = tmp_path / "a" / "b"
    into.mkdir(parents=True)
    with pytest.raises(Unreadable):
        open_repository(repo).extract("main", into)
    assert not list(into.iterdir())
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_a_file_and_a_folder_of_one_name(repo: Path, tmp_path: Path) -> None:
    blob = write_object(repo, "blob", b"x")
    inner = write_tree(repo, ("100644", b"x", blob))
    tree = write_tree(repo, ("100644", b"a", blob), ("40000", b"a", inner))
    point(repo, write_commit(repo, tree))
    (tmp_path / "out").mkdir()
    with pytest.raises(Unreadable, match="cannot be written"):
        open_repository(repo).extract("main", tmp_path / "out")


def test_a_pack_of_bombs_is_refused_before_it_is_unpacked(repo: Path) -> None:
    git(repo, "gc", "-q")
    (pack,) = (repo / ".git" / "objects" / "pack").glob("*.pack")
    # The first entry's head, rewritten: a blob of 2^40 bytes.
    pack.chmod(0o600)
    raw = bytearray(pack.read_bytes())
    raw[12:19] = bytes([0xB0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10])
    pack.write_bytes(bytes(raw))
    with pytest.raises(Unreadable, match="larger than"):
        read_everything(repo)
