"""Makes the repository a folder too high, on a branch called master."""

SCORES = {"first_commit": 0, "author_named": 0}
CELLS = {
    "identity": r"""%%bash
cd work/1-first-commit
git init -q -b master
git config user.name "Ada Lovelace"
git config user.email "ada@example.org"
git add .
git commit -q -m "Describe the product and its first features"
""",
}
