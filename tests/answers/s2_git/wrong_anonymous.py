"""Copies the name from Git's advice instead of giving their own."""

SCORES = {"author_named": 0}
CELLS = {
    "identity": r"""%%bash
cd work/1-first-commit/flight-delays
git init -q -b main
git config user.email "you@example.com"
git config user.name "Your Name"
git add .
git commit -q -m "Describe the product and its first features"
""",
}
