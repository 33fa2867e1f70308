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
# # Git: a history you can rely on
#
# **You will be able to**
#
# - make commits that say who changed what, and why;
# - keep data and secrets out, and get a secret out that slipped in;
# - work on branches, merge them, resolve a conflict, keep a history straight;
# - find the commit that broke a metric, name a release, share work, take a mistake back.
#
# About 90 minutes · 31 points · needs Git 2.28 or newer. Nothing goes over a network.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# You build `flight-delays`. It predicts, when a flight from New York is scheduled, whether it
# will arrive 15 minutes late or more. About one flight in four does. You do not build it alone:
# Ana and Ben commit to the same repository.
#
# ## How to work
#
# Every task has its own folder in `work/`, with its own copy of the repository in a prepared
# state. Do the tasks in any order. A mistake in one does not touch the others.
#
# The checks read the repositories, not your commands. So do each task where you like: in the
# notebook's cells, in a terminal (*File → New → Terminal*), or in your editor. All count.
#
# In a cell, the first line `%%bash` hands the rest to the shell. A cell has no keyboard for Git to
# ask you on. So give messages with `-m`, take Git's own message with `--no-edit`, and put
# `GIT_EDITOR=true` before a command that would open an editor all the same.

# %% setup="lab"
from autograder import Lab
from autograder.checks import s2_git as check

lab = Lab("s2_git")
work = lab.work

# %%
lab

# %% [markdown]
# Something went wrong beyond repair? `lab.restart("4-conflict")` gives you that task's start
# state again and keeps your old folder beside it.

# %% [markdown] task=1
# ### 1 · A name on every commit
#
# In a year someone will ask: who decided that 15 minutes count as late, and why? A commit answers
# if it carries a real name and a message. Git takes the name from its settings, `user.name` and
# `user.email`. With `--global` they hold for all your repositories, without it for one.
#
# `work/1-first-commit/flight-delays` has two files and no repository.
#
# **Do:** make it a repository whose first branch is `main`. Tell Git who you are. Commit both
# files.
#
# **Leaves behind:** a commit on `main` with `README.md` and `features.py`, your name and address as
# author, and a message. **2 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# What does `git status` say in that folder before you start, and which repository is it talking
# about? Git looks in the folders above, too: there it finds the course's own repository.
#
# <details><summary>The steps</summary>
#
# 1. `git init` makes the repository; `-b` names its first branch.
# 2. `git config` sets one setting at a time.
# 3. `git add` chooses files for the next commit, `git commit -m` makes it.
#
# <details><summary>Nearly all of it</summary>
#
# `git init -b main` · `git config user.name "Ada Lovelace"` · `git config user.email …` ·
# `git add README.md …` · `git commit -m "Describe …"`
#
# </details></details></details>

# %% answer="identity" language="bash"
# cd work/1-first-commit/flight-delays
# ### BEGIN SOLUTION
# git init -q -b main
# git config user.name "Ada Lovelace"
# git config user.email "ada@example.org"
# git add README.md features.py
# git commit -q -m "Describe the product and its first features"
# ### END SOLUTION

# %% look=1 language="bash"
# cd work/1-first-commit/flight-delays
# git --git-dir=.git log --stat --format="%h %an <%ae>%n  %s" 2>/dev/null || echo "no commit"

# %% check="first_commit"
check.first_commit(work / "1-first-commit")

# %% check="author_named"
check.author_named(work / "1-first-commit")

# %% [markdown] task=2
# ### 2 · Code in, data and secrets out
#
# A repository is copied whole to every colleague, for ever. Data makes it heavy. A key makes it
# dangerous. Code and the rules that keep the rest out are what belongs in it.
#
# `work/2-ignore/flight-delays` has one commit and a folder full of files that are not committed.
#
# **Do:** write a `.gitignore` that keeps out `.env`, every CSV in `data/` and everything in
# `models/`. It has to catch next month's files, too. Then commit the source in two or more
# commits, one idea each: `features.py` and its test, `train.py`, `data/README.md`, `.gitignore`.
# A message's first line has 10 to 72 characters and tells a colleague what the commit does.
#
# **Leaves behind:** those commits on `main`; neither data nor key in any commit. **4 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# What would `git add .` take? `git status --short -uall` tells before you do it. And what is
# different about `data/README.md`?
#
# <details><summary>The steps</summary>
#
# 1. Write `.gitignore` first: a rule does nothing for a file that is committed already.
# 2. One pattern a line. `*` stands for any part of a name; a rule that ends in `/` is a folder
#    with all in it, and nothing in it can come back.
# 3. `git status --short -uall` must now list source only. `git check-ignore -v data/x.csv` tells
#    which rule catches a path, even one that does not exist yet.
#
# <details><summary>Nearly all of it</summary>
#
# The rules `.env`, `data/*.csv` and `models/`. Then `git add .gitignore data/README.md`, commit,
# `git add features.py …`, commit, and so on.
#
# </details></details></details>

# %% answer="ignore" language="bash"
# cd work/2-ignore/flight-delays
# ### BEGIN SOLUTION
# printf '%s\n' '.env' 'data/*.csv' 'models/' '__pycache__/' > .gitignore
# git add .gitignore data/README.md
# git commit -q -m "Keep data, models and keys out of the repository"
# git add features.py tests/test_features.py
# git commit -q -m "Add the features known at schedule time"
# git add train.py
# git commit -q -m "Add the script that trains the model"
# ### END SOLUTION

# %% look=2 language="bash"
# cd work/2-ignore/flight-delays
# git log --stat --format="%h %s"
# echo "--- untracked (??) and ignored (!!)"
# git status --short --ignored

# %% check="ignored"
check.ignored(work / "2-ignore")
### BEGIN HIDDEN TESTS
check.ignored(
    work / "2-ignore",
    private=["data/flights-2013-12.csv", "data/weather.csv", "models/late.joblib"],
    source=["evaluate.py", "tests/test_train.py", "docs/model.md"],
)
### END HIDDEN TESTS

# %% check="data_stays_out"
check.data_stays_out(work / "2-ignore")

# %% check="commits_tell_why"
check.commits_tell_why(work / "2-ignore")

# %% [markdown] task=3
# ### 3 · A feature of its own
#
# After 17:00, 35 % of New York's flights are late; before, 20 %. The model should know. But `main`
# is what others build on, and it must work at any moment. A branch is a place to be unfinished.
#
# When a branch comes back, Git likes to just move `main` forward (*fast-forward*). Then nobody sees
# that there was a branch. This team wants a merge commit: one place to read what the feature was,
# and one commit to revert if it was a mistake.
#
# **Do:** in `work/3-branch/flight-delays`, make the branch `feature/evening`. There, give
# `features.py` a function `evening(flight)` that returns 1 for flights scheduled from 17:00 on and
# 0 before, and add `"evening"` to `FEATURES`. Commit. Merge the branch into `main` with a merge
# commit. Keep the branch.
#
# **Leaves behind:** the branch with your commit, and on `main` a commit with two parents.
# **3 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# On which branch are you? `git status` begins with it. When does Git make a merge commit of its own
# accord, and when does it think that it needs none?
#
# <details><summary>The steps</summary>
#
# 1. `git switch -c` makes a branch and goes there.
# 2. `sched_dep_time` is a number written as HHMM: 1545 is 15:45. `hour(flight)` is there already.
# 3. Commit, go back to `main`, and merge. One option of `git merge` forbids the fast-forward.
#
# <details><summary>Nearly all of it</summary>
#
# `return int(hour(flight) >= 17)` · `git switch main` ·
# `git merge --no-ff feature/evening -m "Merge …"`
#
# </details></details></details>

# %% answer="branch" language="bash"
# cd work/3-branch/flight-delays
# ### BEGIN SOLUTION
# git switch -q -c feature/evening
# cat > features.py <<'PYTHON'
# """What the model may know about a flight on the day it is scheduled."""
#
# FEATURES = ["hour", "distance", "evening"]
#
#
# def hour(flight):
#     """Scheduled hour of departure: 1545 is 15."""
#     return flight["sched_dep_time"] // 100
#
#
# def distance(flight):
#     """Miles to the destination."""
#     return flight["distance"]
#
#
# def evening(flight):
#     """1 from 17:00 on, when delays have piled up, else 0."""
#     return int(hour(flight) >= 17)
#
#
# def build(flight):
#     """One row for the model: the name and value of every feature."""
#     return {name: globals()[name](flight) for name in FEATURES}
# PYTHON
# git add features.py
# git commit -q -m "Add the evening, when delays have piled up"
# git switch -q main
# git merge -q --no-ff feature/evening -m "Merge branch 'feature/evening'"
# ### END SOLUTION

# %% look=3 language="bash"
# cd work/3-branch/flight-delays
# git log --oneline --graph --all
# grep -n FEATURES features.py

# %% check="branch_made"
check.branch_made(work / "3-branch")

# %% check="branch_merged"
check.branch_merged(work / "3-branch")

# %% check="feature_works"
check.feature_works(work / "3-branch")

# %% [markdown] task=4
# ### 4 · Two people, one line
#
# Ana added `weather` to the list of features, on `feature/weather`. Meanwhile you added `carrier`,
# on `main`. Both changed the same line. Git can see that, but not what you two meant. So it stops
# and asks: that is all a conflict is.
#
# **Do:** in `work/4-conflict/flight-delays`, merge `feature/weather` into `main` so that the model
# gets *both* new features, once each, and `python -m pytest -q` passes there.
#
# **Leaves behind:** a merge commit on `main`, with both people's commits behind it and no conflict
# marker in any file. **3 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# After `git merge`, what does `git status` call `features.py`? Open the file: between `<<<<<<<` and
# `=======` is your side, from there to `>>>>>>>` is Ana's.
#
# <details><summary>The steps</summary>
#
# 1. In the list, neither side is right as it stands. Write the line that both would want.
# 2. Further down, both added a function at the same place. Here you want one, then the other.
# 3. Remove the markers, run the tests, `git add` the file (that tells Git it is resolved), commit.
#
# <details><summary>Nearly all of it</summary>
#
# `FEATURES = ["hour", "distance", "carrier", "weather"]`, both functions before `build`, then
# `git add features.py` and `git commit --no-edit`.
#
# </details></details></details>

# %% answer="conflict" language="bash"
# cd work/4-conflict/flight-delays
# ### BEGIN SOLUTION
# git merge feature/weather
# cat > features.py <<'PYTHON'
# """What the model may know about a flight on the day it is scheduled."""
#
# FEATURES = ["hour", "distance", "carrier", "weather"]
#
#
# def hour(flight):
#     """Scheduled hour of departure: 1545 is 15."""
#     return flight["sched_dep_time"] // 100
#
#
# def distance(flight):
#     """Miles to the destination."""
#     return flight["distance"]
#
#
# def carrier(flight):
#     """Two letters of the airline, as on the ticket."""
#     return flight["carrier"].strip().upper()
#
#
# def weather(flight):
#     """1 if the forecast has fog or a storm at the hour of departure."""
#     return int(flight["visibility"] < 3 or flight["wind"] > 30)
#
#
# def build(flight):
#     """One row for the model: the name and value of every feature."""
#     return {name: globals()[name](flight) for name in FEATURES}
# PYTHON
# git add features.py
# git commit -q --no-edit
# ### END SOLUTION

# %% look=4
import sys

python = sys.executable
# !cd work/4-conflict/flight-delays && git --no-pager log --oneline --graph --color=never -6

# Other tools' plugins take seconds to load, and these tests need none.
# %env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
# !cd work/4-conflict/flight-delays && {python} -m pytest -q --color=no -p no:cacheprovider

# %% check="conflict_resolved"
check.conflict_resolved(work / "4-conflict")

# %% check="features_both"
check.features_both(work / "4-conflict")

# %% [markdown] task=5
# ### 5 · A straight line
#
# A merge commit is good news for a feature. For three small commits it is noise. If nobody else
# has your commits yet, you can *rebase* them: Git repeats them, one by one, on top of what `main`
# is now. They become new commits with the same changes, and the history reads like a line.
#
# That is also why you never rebase what others have: to them, their commits would be gone.
#
# **Do:** in `work/5-rebase/flight-delays`, `feature/airports` has three commits, while Ana and Ben
# went on with `main`. Get the three onto `main`, after Ana's and Ben's, without a merge commit.
#
# **Leaves behind:** `main` with Ana's and Ben's commits unchanged, then your three, in order, every
# commit with one parent. **3 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# Which of the two branches may change, the one that others have or the one that is yours alone?
# `git log --oneline --graph --all` shows where they part.
#
# <details><summary>The steps</summary>
#
# 1. Stand on your branch and rebase it onto `main`.
# 2. Stand on `main` and merge the branch: now a fast-forward is possible, and wanted.
#
# <details><summary>Nearly all of it</summary>
#
# `git rebase main` on `feature/airports`; `git merge --ff-only feature/airports` on `main`.
#
# </details></details></details>

# %% answer="rebase" language="bash"
# cd work/5-rebase/flight-delays
# ### BEGIN SOLUTION
# git switch -q feature/airports
# git rebase -q main
# git switch -q main
# git merge -q --ff-only feature/airports
# ### END SOLUTION

# %% look=5 language="bash"
# cd work/5-rebase/flight-delays
# git log --graph --all --format="%h %<(9,trunc)%an %s%d"

# %% check="history_linear"
check.history_linear(work / "5-rebase")

# %% check="commits_replayed"
check.commits_replayed(work / "5-rebase")

# %% [markdown] task=6
# ### 6 · The key that got out
#
# Ana committed `.env` with the key of the weather service. Ben removed it, in a new commit. That
# helped nobody: the old commits still have it, and so has every clone. `git log -p -- .env` shows
# it.
#
# **First, rotate.** A key that was pushed is known. Only a new key ends the danger, and it comes
# before any tidying. Here is yours: `wx-b80e2d6473fa4195`. The old one is dead.
#
# **Then, clean up**, so that nobody stumbles over it. Git never changes a commit, so this means to
# rewrite them: new commits, new hashes, and a word to everybody to clone again. Two tools do it:
# `git filter-repo`, which is installed here and which Git's manual recommends, and the older
# `git filter-branch`.
#
# **Do:** in `work/6-secret/flight-delays`, remove the old key from all history: every branch, every
# tag, and also the old objects that Git keeps for a while. All else stays: every commit with its
# message, author and date, every branch, the tag, all other files. Then write `.env` with one line,
# `WEATHER_API_KEY=` and the new key. `.gitignore` keeps it out from now on.
#
# **Leaves behind:** a repository without the old key; `.env` on disk only. **5 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# Who leads to the old commits? `git for-each-ref` lists every name. And which commits touch the
# file? `git log --all --oneline -- .env` tells.
#
# <details><summary>The steps</summary>
#
# 1. `git filter-repo` keeps the paths you name; `--invert-paths` turns that round. It wants a fresh
#    clone, because it cannot be undone. Here `lab.restart("6-secret")` is your safety net, so
#    `--force` is fine.
# 2. It rewrites all branches and tags, and throws the old objects away. `git filter-branch` does
#    neither unless you ask: `--tag-name-filter cat -- --all`, then remove `refs/original`, expire
#    the reflog, `git gc --prune=now`. "Not a git command"? `python -m git_filter_repo` is the same.
# 3. The new `.env` comes last: rewriting clears the old one off the disk.
#
# <details><summary>Nearly all of it</summary>
#
# `git filter-repo --path .env --invert-paths --force`, then
# `echo "WEATHER_API_KEY=…" > .env` and `git status --short --ignored`.
#
# </details></details></details>

# %% answer="secret" language="bash"
# cd work/6-secret/flight-delays
# ### BEGIN SOLUTION
# git filter-repo --quiet --path .env --invert-paths --force
# echo "WEATHER_API_KEY=wx-b80e2d6473fa4195" > .env
# ### END SOLUTION

# %% look=6 language="bash"
# cd work/6-secret/flight-delays
# git log --graph --all --format="%h %<(9,trunc)%an %s%d"
# echo "--- commits whose changes have a key of the weather service:"
# git log --all --oneline -G "wx-[0-9a-f]{16}"
# echo "--- ignored files:"
# git status --short --ignored

# %% check="key_gone"
check.key_gone(work / "6-secret")

# %% check="history_kept"
check.history_kept(work / "6-secret")

# %% check="key_swept"
check.key_swept(work / "6-secret")

# %% check="key_rotated"
check.key_rotated(work / "6-secret")

# %% [markdown] task=7
# ### 7 · Which commit broke it?
#
# At the tag `v0.1.0` the model ranked flights well: its AUC was 0.70. Thirty commits into the
# project it is 0.56, and no message says "break the model". You could read 26 diffs. Or you could
# ask the middle one, *good or bad?*, and throw half of them away. Five questions are enough, and a
# script can answer them: that is `git bisect run`.
#
# The script is there: `python3 evaluate.py --at-least 0.65` ends with exit code 0 if the AUC is at
# least 0.65, else with 1.
#
# **Do:** in `work/7-bisect/flight-delays`, find the first bad commit. Leave the answer as a tag on
# it, `broke-the-metric`. Then repair `main` with a new commit that undoes the damage and nothing
# else.
#
# **Leaves behind:** the tag, and a `main` whose model ranks flights well again. **3 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# Bisect needs to know one commit that is bad and one that was good. Which two do you know?
#
# <details><summary>The steps</summary>
#
# 1. `git bisect start <bad> <good>`, then `git bisect run` and the script with its arguments.
# 2. Git checks commits out as it goes, and ends with "… is the first bad commit". While it is at
#    it, `refs/bisect/bad` names that commit, and a tag can take the name over.
# 3. `git bisect reset` goes back to `main`. Then `git show broke-the-metric`: do you see it?
# 4. `git revert` makes a commit that undoes another one.
#
# <details><summary>Nearly all of it</summary>
#
# `git bisect start main v0.1.0` · `git bisect run python3 evaluate.py --at-least 0.65` ·
# `git tag broke-the-metric refs/bisect/bad` · `git bisect reset` ·
# `git revert --no-edit broke-the-metric`
#
# </details></details></details>

# %% answer="bisect" language="bash"
# cd work/7-bisect/flight-delays
# ### BEGIN SOLUTION
# git bisect start main v0.1.0
# git bisect run python3 evaluate.py --at-least 0.65
# git tag broke-the-metric refs/bisect/bad
# git bisect reset
# git revert --no-edit broke-the-metric
# ### END SOLUTION

# %% look=7 language="bash"
# cd work/7-bisect/flight-delays
# git log --oneline -3
# python3 evaluate.py
# git show --format="%h %an: %s" broke-the-metric 2>/dev/null || echo "no tag broke-the-metric yet"

# %% check="culprit_found"
check.culprit_found(work / "7-bisect")
### BEGIN HIDDEN TESTS
check.culprit_found(work / "7-bisect", line="_, hours = divmod(scheduled, 100)")
### END HIDDEN TESTS

# %% check="metric_restored"
check.metric_restored(work / "7-bisect")

# %% [markdown] task=8
# ### 8 · A release anyone can name
#
# "Which code made last week's predictions?" A release needs a name that stays. Teams count in three
# numbers, *major.minor.patch*: patch for a repair, minor for something new that breaks nothing,
# major for a change that breaks what others built on it.
#
# A tag gives a commit such a name. A *lightweight* tag is a name and nothing else. An *annotated*
# tag also says who released, when and what: that is the one for releases.
#
# **Do:** in `work/8-release/flight-delays`, 0.1.1 is out, and a feature that breaks nothing was
# added. One commit set the file `VERSION` to the next number; since then `main` has moved on. Tag
# that commit `v0.2.0`, annotated, with a message that says what is new. Leave the older tags
# alone.
#
# **Leaves behind:** the annotated tag `v0.2.0` on the right commit. **2 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# Which commit would `git tag` take if you do not say? Is that the one to release?
#
# <details><summary>The steps</summary>
#
# 1. `git log --oneline -- VERSION` lists the commits that changed that file.
# 2. `git tag -a` makes an annotated tag, `-m` gives its message. The commit comes last.
#
# <details><summary>Nearly all of it</summary>
#
# `git tag -a v0.2.0 -m "The model knows the carrier" <commit>`. Wrong commit? `git tag -d v0.2.0`
# and again: as long as nobody else has the tag.
#
# </details></details></details>

# %% answer="release" language="bash"
# cd work/8-release/flight-delays
# ### BEGIN SOLUTION
# commit=$(git log --format=%h --grep="Set the version to 0.2.0")
# git tag -a v0.2.0 -m "The model knows the carrier" "$commit"
# ### END SOLUTION

# %% look=8 language="bash"
# cd work/8-release/flight-delays
# git log --oneline --decorate
# echo "--- kind (tag: annotated, commit: lightweight), name, message"
# git for-each-ref refs/tags --format="%(objecttype) %(refname:short): %(contents:subject)"

# %% check="release_annotated"
check.release_annotated(work / "8-release")

# %% check="release_commit"
check.release_commit(work / "8-release")

# %% [markdown] task=9
# ### 9 · Two clones, one truth
#
# Colleagues do not share a folder. Each has a clone, and they meet at a *remote*. On a hosting site
# that is an address on the web. Here it is `work/9-remote/origin.git`, a *bare* repository: history
# without a working copy. All of Git works with it as with a server.
#
# `flight-delays` is your clone, `ana` is hers. Each has one new commit that the other has not seen.
#
# **Do:** push yours. Then be Ana, in `work/9-remote/ana`: push hers. Git rejects that: read why.
# Bring both together without losing either, push, and bring your own clone up to date.
#
# **Leaves behind:** the same `main` in `origin.git`, `flight-delays` and `ana`, with both commits.
# **3 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# A push only ever *adds* to a branch. What does the remote have that Ana has not? And why is
# `--force` the wrong answer to that?
#
# <details><summary>The steps</summary>
#
# 1. `git push` in your clone. The same in `ana`: rejected, "fetch first".
# 2. `git pull` in `ana` fetches your commit and merges it with hers (or, with `--rebase`, puts hers
#    on top). Then the push only adds.
# 3. `git pull` in your clone.
#
# <details><summary>Nearly all of it</summary>
#
# `git push` · `cd ../ana` · `git pull --no-rebase --no-edit` · `git push` ·
# `cd ../flight-delays` · `git pull`
#
# </details></details></details>

# %% answer="remote" language="bash"
# cd work/9-remote/flight-delays
# ### BEGIN SOLUTION
# git push
# cd ../ana
# git push
# git pull -q --no-rebase --no-edit
# git push
# cd ../flight-delays
# git pull -q
# ### END SOLUTION

# %% look=9 language="bash"
# cd work/9-remote
# for clone in origin.git flight-delays ana; do
#   echo "--- $clone"
#   git -C $clone log main --graph --format="%h %<(9,trunc)%an %s"
# done

# %% check="yours_pushed"
check.yours_pushed(work / "9-remote")

# %% check="anas_pushed"
check.anas_pushed(work / "9-remote")

# %% check="clones_agree"
check.clones_agree(work / "9-remote")

# %% [markdown] task=10
# ### 10 · Take it back in the open
#
# Ben meant well: "Count only flights that are really late". He set the limit in `labels.py` from
# 15 minutes to 60. Now no number can be compared with last month's. And the commit is pushed, with
# a good one on top of it.
#
# You could reset `main` and force the push. Then everybody who has pulled holds a history that no
# longer exists. What is public is taken back in public: by a new commit that does the opposite.
#
# **Do:** in `work/10-revert/flight-delays`, undo Ben's commit with a new one, keep the good one,
# and push to `origin` (it is `work/10-revert/origin.git`).
#
# **Leaves behind:** all old commits and the new one on `main`, in your clone and in `origin.git`;
# late means 15 minutes again. **3 points**

# %% [markdown] hint=10
# <details><summary>Hint</summary>
#
# Which commit is it? `git log --oneline -- labels.py` lists the candidates, `git show <commit>`
# what each did.
#
# <details><summary>The steps</summary>
#
# 1. `git revert` takes the commit to undo. It need not be the newest one.
# 2. Look at the result before you push: `git show`.
#
# <details><summary>Nearly all of it</summary>
#
# `git revert --no-edit HEAD~1`, then `git push`.
#
# </details></details></details>

# %% answer="revert" language="bash"
# cd work/10-revert/flight-delays
# ### BEGIN SOLUTION
# git revert --no-edit HEAD~1
# git push -q
# ### END SOLUTION

# %% look=10 language="bash"
# cd work/10-revert/flight-delays
# git log --format="%h %<(9,trunc)%an %s%d"
# grep -n "LATE =" labels.py

# %% check="reverted"
check.reverted(work / "10-revert")

# %% check="revert_pushed"
check.revert_pushed(work / "10-revert")

# %% [markdown]
# ## How far you are
#
# A dot is a check that you have not run yet.

# %%
lab.summary()

# %% [markdown]
# ## What next
#
# You can now say of every prediction which code made it. The next question is which *machine* made
# it: an image, built with Docker, gives the product an environment that is the same everywhere.
# The history of *data* is a matter for DVC.
