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
# # DVC: data and results you can get back
#
# **You will be able to**
#
# - keep data out of Git and its version in Git, and bring any version back;
# - share data through a remote, and repair a remote that misses something;
# - turn scripts into a pipeline that runs what a change touches and nothing else;
# - run experiments, compare them, keep the best one;
# - give a stranger a commit from which they get the number you state.
#
# About 90 minutes · 32 points · needs Git 2.28 or newer and DVC 3, which this environment has.
# No account, no cloud: the remote is a folder. Nothing goes over a network.
#
# Where this lab stands among the others: [roadmap](../../course/roadmap.ipynb).

# %% [markdown]
# ## The product
#
# You build `flight-delays`. It predicts, when a flight from New York is scheduled, whether it
# will arrive 15 minutes late or more. Here its data is a sample: 2,000 real flights of 2013 a
# month, one file each.
#
# Git can keep the code. It is a bad place for data: every version would stay in every clone for
# ever. DVC keeps the data elsewhere and gives Git a small file with its *fingerprint*, an MD5
# hash. One byte more or less, and it is another fingerprint.
#
# ## How to work
#
# Every task has its own folder in `work/`, with its own copy of the repository in a prepared
# state. Do the tasks in any order. A mistake in one does not touch the others.
#
# The checks read what Git and DVC left behind, not your commands. So do each task where you like:
# in the notebook's cells, in a terminal (*File → New → Terminal*), in your editor. All count.
# A check looks at the branch `main`: commit what you want it to see.
#
# In a cell, the first line `%%bash` hands the rest to the shell. A `dvc` command takes a second or
# two to start in a terminal. In this notebook a helper process keeps DVC's imports ready, so that it
# answers at once; the helper ends with the notebook.
#
# DVC reports anonymously how it is used. The next cell tells it not to, with
# `DVC_NO_ANALYTICS`. In a terminal of your own, run `export DVC_NO_ANALYTICS=1`. In task 1 you
# say the same to everybody who clones.

# %% setup="lab"
import os

from autograder import Lab
from autograder.checks import s4_dvc as check

os.environ["DVC_NO_ANALYTICS"] = "1"
lab = Lab("s4_dvc", quick="dvc")
work = lab.work

# %%
lab

# %% [markdown]
# Something went wrong beyond repair? `lab.restart("4-versions")` gives you that task's start
# state again and keeps your old folder beside it.

# %% [markdown] task=1
# ### 1 · A repository that knows data
#
# DVC works inside a Git repository. It keeps its settings in `.dvc/`, and Git keeps these, so that
# a clone behaves like the original. Its cache lies there too, and must *not* go into Git.
#
# **Do:** in `work/1-init/flight-delays`, set DVC up. Tell it, in the settings that all clones get,
# not to report anything (`core.analytics`). Commit.
#
# **Leaves behind:** a commit on `main` with `.dvc/config` and `.dvc/.gitignore`. **2 points**

# %% [markdown] hint=1
# <details><summary>Hint</summary>
#
# After `dvc init`, what does `git status` show? DVC has done half of the commit for you.
#
# <details><summary>The steps</summary>
#
# 1. `dvc init` makes `.dvc/` and stages it.
# 2. `dvc config` sets one setting. Without `--local` or `--global`, it is for all clones.
# 3. The setting came after the staging: `git add` once more, then commit.
#
# <details><summary>Nearly all of it</summary>
#
# `dvc init` · `dvc config core.analytics false` · `git add .dvc` · `git commit -m "…"`
#
# </details></details></details>

# %% answer="init" language="bash"
# cd work/1-init/flight-delays
# ### BEGIN SOLUTION
# dvc init -q
# dvc config core.analytics false
# git add .dvc .dvcignore
# git commit -q -m "Set up DVC, and let it report nothing"
# ### END SOLUTION

# %% look=1 language="bash"
# cd work/1-init/flight-delays
# git ls-tree -r --name-only HEAD
# echo "--- .dvc/config, as committed"
# git show HEAD:.dvc/config 2>/dev/null || echo "not there yet"

# %% check="dvc_set_up"
check.dvc_set_up(work / "1-init")

# %% check="analytics_off"
check.analytics_off(work / "1-init")

# %% [markdown] task=2
# ### 2 · A fingerprint in Git, the data beside it
#
# In `work/2-track/flight-delays/data` lie three months of flights. Neither Git nor DVC knows them.
#
# `dvc add` does three things. It puts a copy into the cache, under its fingerprint. It writes a
# `.dvc` file with the fingerprint, for Git. And it tells Git to ignore the data itself.
#
# **Do:** track the three files with DVC, and commit what Git needs.
#
# **Leaves behind:** fingerprints on `main`; the data on disk and in the cache, and in no commit.
# **3 points**

# %% [markdown] hint=2
# <details><summary>Hint</summary>
#
# What are the new files in `data/` after `dvc add`? One of them begins with a dot.
#
# <details><summary>The steps</summary>
#
# 1. `dvc add` takes any number of files.
# 2. It prints the `git add` that comes next.
# 3. `git status` before the commit: is a CSV among what you commit?
#
# <details><summary>Nearly all of it</summary>
#
# `dvc add data/*.csv` · `git add data` · `git commit -m "…"`. With the rules of `data/.gitignore`,
# `git add data` leaves the CSV files alone.
#
# </details></details></details>

# %% answer="track" language="bash"
# cd work/2-track/flight-delays
# ### BEGIN SOLUTION
# dvc add -q data/*.csv
# git add data
# git commit -q -m "Track the flights of January to March"
# ### END SOLUTION

# %% look=2 language="bash"
# cd work/2-track/flight-delays
# echo "--- what Git has"
# git ls-files data
# echo "--- what January's file is called there"
# cat data/flights-2013-01.csv.dvc 2>/dev/null || echo "not tracked yet"
# echo "--- what the cache has"
# ls -R .dvc/cache/files/md5 2>/dev/null | grep -E '^[0-9a-f]{30}' || echo "nothing yet"

# %% [markdown]
# Compare: the cache's path is the fingerprint, its first two digits as a folder. So the same content
# is there once, however many versions use it.

# %% check="months_tracked"
check.months_tracked(work / "2-track")

# %% check="data_not_in_git"
check.data_not_in_git(work / "2-track")

# %% [markdown] task=3
# ### 3 · A place that others can reach
#
# A colleague who clones your repository gets fingerprints, and no flights. The data has to lie
# where both of you can reach it: the *remote*. Here it is a folder, `storage`, beside your
# repository. In a company it is a bucket, and one line differs:
#
# | storage | the line | install |
# |---|---|---|
# | a folder, a network drive | `dvc remote add -d storage ../storage` | `dvc` |
# | Amazon S3 | `dvc remote add -d storage s3://bucket/path` | `dvc[s3]` |
# | Azure Blob Storage | `dvc remote add -d storage azure://container/path` | `dvc[azure]` |
# | Google Cloud Storage | `dvc remote add -d storage gs://bucket/path` | `dvc[gs]` |
#
# Keys never go into `.dvc/config`, which Git has: `dvc remote modify --local` writes them to
# `.dvc/config.local`, which it has not.
#
# **Do:** in `work/3-remote/flight-delays`, make `../storage` the default remote, commit that, and
# push the data. Then prove that the remote is enough: delete `.dvc/cache` and the three CSV files,
# and pull.
#
# **Leaves behind:** the three months in `storage`, in a new cache, and in `data/`, byte by byte as
# they were. **3 points**

# %% [markdown] hint=3
# <details><summary>Hint</summary>
#
# In which order? After `rm`, what has the only copy?
#
# <details><summary>The steps</summary>
#
# 1. `dvc remote add` takes a name and an address. `-d` makes it the default. The address may be
#    relative: write it as seen from where you stand.
# 2. The setting is in `.dvc/config`: commit it.
# 3. `dvc push` copies from the cache to the remote. Look into `../storage` before you delete.
# 4. `dvc pull` copies back into the cache, and from there into `data/`.
#
# <details><summary>Nearly all of it</summary>
#
# `dvc remote add -d storage ../storage` · `git commit -am "…"` · `dvc push` ·
# `rm -rf .dvc/cache data/*.csv` · `dvc pull`
#
# </details></details></details>

# %% answer="remote" language="bash"
# cd work/3-remote/flight-delays
# ### BEGIN SOLUTION
# dvc remote add -d storage ../storage
# git commit -q -am "Share the data in storage"
# dvc push
# rm -rf .dvc/cache data/*.csv
# dvc pull
# ### END SOLUTION

# %% look=3 language="bash"
# cd work/3-remote/flight-delays
# echo "--- the remote"
# find ../storage -type f 2>/dev/null | sort
# echo "--- the cache"
# find .dvc/cache -type f | sort
# echo "--- the data: fingerprints on disk, then in Git"
# md5sum data/*.csv
# grep -h md5: data/*.dvc

# %% check="remote_set"
check.remote_set(work / "3-remote")

# %% check="pushed"
check.pushed(work / "3-remote")

# %% check="pulled_back"
check.pulled_back(work / "3-remote")

# %% [markdown] task=4
# ### 4 · Two versions, a name each
#
# Data changes: new months come, old ones are corrected. "Which data was the report made from?" With
# fingerprints in Git, a version of the data *is* a commit. A tag gives it a name.
#
# In `work/4-versions/flight-delays`, DVC tracks the folder `data` as a whole, by the file `data.dvc`.
# The tag `data-v1` names the first version. In `inbox` lie April, which is new, and February, which
# the source has corrected.
#
# **Do:** take both files into `data`. Commit that version, call it `data-v2`, push the data. Then an
# auditor asks for the flights as they were at `data-v1`: put them into `work/4-versions/audit`. Your
# own `data` stays at the new version.
#
# **Leaves behind:** two tags on `main`, all data of both in `storage`, and the old version in
# `audit`. **4 points**

# %% [markdown] hint=4
# <details><summary>Hint</summary>
#
# `git show data-v1:data.dvc` is all that Git knows of the old version. Who has the rest?
#
# <details><summary>The steps</summary>
#
# 1. Copy the files, then `dvc add data`: it notes the folder's new fingerprint.
# 2. Commit `data.dvc`, then tag: a tag names a commit, not what lies on disk.
# 3. `git switch --detach data-v1` brings the old fingerprint, `dvc checkout` the files to it. Copy
#    them, then go back the same way. Or let `dvc get` do it in one step: it takes a repository, a
#    path in it, `--rev` and `-o`.
#
# <details><summary>Nearly all of it</summary>
#
# `cp ../inbox/*.csv data/` · `dvc add data` · `git commit -am "…"` · `git tag -a data-v2 -m "…"` ·
# `dvc push` · `dvc get . data --rev data-v1 -o ../audit`
#
# </details></details></details>

# %% answer="versions" language="bash"
# cd work/4-versions/flight-delays
# ### BEGIN SOLUTION
# cp ../inbox/*.csv data/
# dvc add -q data
# git commit -q -am "Add April, correct February"
# git tag -a data-v2 -m "January to April 2013, February corrected"
# dvc push
# dvc get -q . data --rev data-v1 -o ../audit
# ### END SOLUTION

# %% look=4 language="bash"
# cd work/4-versions/flight-delays
# git log --oneline --decorate -4
# for version in data-v1 data-v2; do
#   echo "--- $version"
#   git show $version:data.dvc 2>/dev/null || echo "no such tag yet"
# done
# echo "--- now, and for the auditor"
# md5sum data/* ../audit/* 2>/dev/null

# %% check="new_version"
check.new_version(work / "4-versions")

# %% check="versions_pushed"
check.versions_pushed(work / "4-versions")

# %% check="old_restored"
check.old_restored(work / "4-versions")

# %% [markdown] task=5
# ### 5 · The file nobody pushed
#
# Git and DVC push separately. It is easy to do the one and forget the other, or to be cut off in
# the middle. Git then has a fingerprint for which nobody else has the data.
#
# In `work/5-missing`, `flight-delays` is your fresh clone. `ana` is Ana's: she tracked the data, and
# has all of it. She says that she pushed.
#
# **Do:** pull. Read what DVC misses. Get it into `storage` from the clone that has it, and then into
# yours.
#
# **Leaves behind:** all three months in `storage` and in your `data/`. **2 points**

# %% [markdown] hint=5
# <details><summary>Hint</summary>
#
# DVC names the file that it cannot find, and its fingerprint. Whose cache has that?
#
# <details><summary>The steps</summary>
#
# 1. `dvc pull` in `flight-delays` brings what there is, and tells what is missing.
# 2. `dvc status -c` in `ana` compares her cache with the remote: what is *new* is only hers.
# 3. Push there, pull here.
#
# <details><summary>Nearly all of it</summary>
#
# `cd ../ana` · `dvc push` · `cd ../flight-delays` · `dvc pull`. A copy of her CSV would help you
# alone, until the next one clones.
#
# </details></details></details>

# %% answer="missing" language="bash"
# cd work/5-missing/flight-delays
# ### BEGIN SOLUTION
# dvc pull
# cd ../ana
# dvc push
# cd ../flight-delays
# dvc pull
# ### END SOLUTION

# %% look=5 language="bash"
# cd work/5-missing
# find storage -type f | sort
# md5sum flight-delays/data/*.csv
# grep -h md5: flight-delays/data/*.dvc

# %% check="storage_complete"
check.storage_complete(work / "5-missing")

# %% check="clone_complete"
check.clone_complete(work / "5-missing")

# %% [markdown] task=6
# ### 6 · From four scripts to a pipeline
#
# `work/6-pipeline/flight-delays` has four scripts in `src/`: `split`, `featurize`, `train`,
# `evaluate`. Who remembers in which order they run, and which must run again after a change?
# `dvc.yaml` does. It says of every *stage* what it runs (`cmd`), what it reads (`deps`), which
# parameters it uses (`params`), and what it writes (`outs`, `metrics`, `plots`). From that, DVC
# knows the order. What happened goes into `dvc.lock`: the fingerprints of all that was read and
# written.
#
# The first lines of each script say what it reads and writes. `split` and `train` use the part of
# `params.yaml` that has their name.
#
# **Do:** write `dvc.yaml` with four stages or more, every script among the `deps` of its stage.
# `metrics.json` is a metric, and belongs into Git (`cache: false`). `build/roc.csv` and
# `build/promise.svg` are plots. Run it with `dvc repro` and commit.
#
# **Leaves behind:** `dvc.yaml`, `dvc.lock` and `metrics.json` on `main`. A stage must do with what it
# declares: the check runs each one in a folder that has nothing else. **6 points**

# %% [markdown] hint=6
# <details><summary>Hint</summary>
#
# Begin at the end: who writes `metrics.json`? What does that script read, and who writes *that*?
#
# <details><summary>The steps</summary>
#
# 1. One stage a script. `dvc stage add -n split -d … -p … -o … python src/split.py` writes it for
#    you; an editor is as good. `-M` is a metric for Git, `--plots` a plot.
# 2. `data` is a dep of `split`: DVC tracks it as a whole.
# 3. What two stages share must have the same name in both: an out here, a dep there.
# 4. `dvc repro` runs it. `dvc dag` draws it.
#
# <details><summary>Nearly all of it</summary>
#
# ```yaml
# stages:
#   split:
#     cmd: python src/split.py
#     deps: [data, src/split.py]
#     params: [split]
#     outs: [build/train.csv, build/test.csv]
#   featurize: …
#   evaluate:
#     …
#     metrics:
#       - metrics.json:
#           cache: false
#     plots:
#       - build/promise.svg
#       - build/roc.csv:
#           x: punctual
#           y: late
# ```
#
# </details></details></details>

# %% answer="pipeline" language="bash" tags=["nbval-ignore-output"]
# cd work/6-pipeline/flight-delays
# ### BEGIN SOLUTION
# cat > dvc.yaml <<'YAML'
# stages:
#   split:
#     cmd: python src/split.py
#     deps: [data, src/split.py]
#     params: [split]
#     outs: [build/train.csv, build/test.csv]
#   featurize:
#     cmd: python src/featurize.py
#     deps: [build/train.csv, build/test.csv, src/featurize.py]
#     outs: [build/features]
#   train:
#     cmd: python src/train.py
#     deps: [build/features/train.csv, src/train.py]
#     params: [train]
#     outs: [build/model.json]
#   evaluate:
#     cmd: python src/evaluate.py
#     deps: [build/features/test.csv, build/model.json, src/evaluate.py]
#     outs: [build/predictions.csv]
#     metrics:
#       - metrics.json:
#           cache: false
#     plots:
#       - build/promise.svg
#       - build/roc.csv:
#           x: punctual
#           y: late
# YAML
# dvc repro
# git add .
# git commit -q -m "Describe the pipeline and run it"
# ### END SOLUTION

# %% look=6 language="bash"
# cd work/6-pipeline/flight-delays
# dvc dag || echo "no pipeline yet"
# dvc metrics show || echo "no metric yet"
# dvc plots show -q || echo "no plot yet"
# git status --short

# %% [markdown]
# Numbers hide what a picture shows. `dvc plots show` made a page of all plots: the file named below.
# In JupyterLab's file browser on the left, right-click it and choose *Open in New Browser Tab*. The
# page draws curves with Vega, which it takes from the web; images need no network. `dvc plots diff`
# draws two commits into one picture.

# %% look=6 tags=["nbval-ignore-output"]
from IPython.display import SVG, display

repo = work / "6-pipeline" / "flight-delays"
page, picture = repo / "dvc_plots" / "index.html", repo / "build" / "promise.svg"
if page.exists() and picture.exists():
    print(page.relative_to(lab.folder).as_posix())
    display(SVG(filename=str(picture)))

# %% [markdown]
# The picture puts the judged flights into ten groups, from the least to the most endangered. The red
# line is the share of late flights that the model promised for the group, the bar is what came true.

# %% check="stages_declared"
check.stages_declared(work / "6-pipeline")

# %% check="inputs_declared"
check.inputs_declared(work / "6-pipeline")

# %% check="lock_true"
check.lock_true(work / "6-pipeline")

# %% check="metric_true"
check.metric_true(work / "6-pipeline")

# %% [markdown] task=7
# ### 7 · Only what changed
#
# In `work/7-repro/flight-delays` the pipeline ran. It has two more stages. `order` buys the
# airlines' record of last year, 40 dollars a time, and gets a receipt number. `compare` sets the
# model beside it.
#
# The model is poor. A tree with `max_depth: 1` asks one question and has two answers.
#
# **Do:** set `train.max_depth` to 3. Before you run anything, say which stages must run again, and
# which must not. `dvc status` tells whether you are right. Then bring the results up to date without
# a second order, and commit.
#
# **Leaves behind:** on `main`, `params.yaml`, `dvc.lock` and `metrics.json` that belong together, and
# the old receipt. **3 points**

# %% [markdown] hint=7
# <details><summary>Hint</summary>
#
# `dvc dag` draws who reads whom. Put your finger on `train`, and go along the arrows.
#
# <details><summary>The steps</summary>
#
# 1. Change the number in `params.yaml`.
# 2. `dvc repro` compares fingerprints with `dvc.lock`, and runs a stage only if one differs. `-f`
#    would run everything.
# 3. What ran before, DVC remembers: go back to 1 and it takes the results from its *run cache*.
#
# <details><summary>Nearly all of it</summary>
#
# Edit `params.yaml`, then `dvc repro`, then `git commit -am "…"`. Or
# `dvc exp run -S train.max_depth=3` for the first two.
#
# </details></details></details>

# %% answer="repro" language="bash" tags=["nbval-ignore-output"]
# cd work/7-repro/flight-delays
# ### BEGIN SOLUTION
# sed -e 's/max_depth: 1/max_depth: 3/' params.yaml > new.yaml
# mv new.yaml params.yaml
# dvc repro
# git commit -q -am "Let the tree ask three questions in a row"
# ### END SOLUTION

# %% look=7 language="bash"
# cd work/7-repro/flight-delays
# dvc metrics diff HEAD~1 || echo "nothing to compare yet"
# echo "--- the receipt"
# grep receipt build/record.json
# echo "--- runs that DVC remembers, by command"
# grep -rh ^cmd: .dvc/cache/runs | sort | uniq -c

# %% check="reran_downstream"
check.reran_downstream(work / "7-repro")

# %% check="rest_spared"
check.rest_spared(work / "7-repro")

# %% [markdown] task=8
# ### 8 · Three tries, one winner
#
# How deep should the tree be? Nobody knows; one tries. An *experiment* is a run with other
# parameters. DVC keeps each as a commit that no branch shows, so `main` stays clean until you
# decide.
#
# **Do:** in `work/8-experiments/flight-delays`, queue at least three experiments that differ in
# `train.max_depth` or `train.min_leaf`. Run the queue. Compare their `auc`. Apply the best one, and
# commit it on `main`.
#
# **Leaves behind:** three experiments or more, and a `main` with the parameters and results of the
# best. **4 points**

# %% [markdown] hint=8
# <details><summary>Hint</summary>
#
# Is deeper always better? Try a small, a middle and a large number.
#
# <details><summary>The steps</summary>
#
# 1. `dvc exp run --queue -S name=value` puts one experiment into the queue. Several values with
#    commas make several experiments; `--name` gives them a name.
# 2. `dvc exp run --run-all` works the queue off, in the background, and shows what it does;
#    `--jobs 3` runs three side by side. If it shows nothing for a minute, stop the cell: `dvc queue
#    status` tells what failed, `dvc queue logs` why.
# 3. `dvc exp show` is the table. `--sort-by auc --sort-order desc` puts the best on top.
# 4. `dvc exp apply` brings an experiment into your folder. The commit is yours to make.
#
# <details><summary>Nearly all of it</summary>
#
# `dvc exp run --queue --name tree -S train.max_depth=2,3,8` · `dvc exp run --run-all --jobs 3` ·
# `dvc exp show --no-pager` · `dvc exp apply tree-…` · `git commit -am "…"`
#
# </details></details></details>

# %% answer="experiments" language="bash" tags=["nbval-ignore-output"]
# cd work/8-experiments/flight-delays
# ### BEGIN SOLUTION
# dvc exp run --queue --name tree -S train.max_depth=2,3,8
# dvc exp run --run-all --jobs 3
# dvc exp apply -q tree-2
# git commit -q -am "Use the best tree of three: depth 3"
# ### END SOLUTION

# %% look=8 language="bash" tags=["nbval-ignore-output"]
# cd work/8-experiments/flight-delays
# export COLUMNS=100
# dvc exp show --no-pager -n 2 --only-changed --drop "Created|Executor|build|src|data|split" \
#     --sort-by auc --sort-order desc || echo "nothing to show yet"
# git log --oneline -2
# cat params.yaml

# %% check="experiments_ran"
check.experiments_ran(work / "8-experiments")

# %% check="best_applied"
check.best_applied(work / "8-experiments")

# %% [markdown] task=9
# ### 9 · The same number on a stranger's machine
#
# "It works on my machine" is no result. A result is a commit from which somebody who has never met
# you gets your number. That somebody has a clone, an empty cache, and the remote.
#
# May has come in (`inbox`). From now on the model learns from January to April and is judged on May.
# Mind the order: a model that has seen the future will be praised for it in the test, and fail in
# the airport.
#
# **Do:** in `work/9-fresh/flight-delays`, add May to `data`, set `split` in `params.yaml`, bring the
# results up to date, commit, and push the data. Then be the stranger: clone into
# `work/9-fresh/stranger`, pull `data`, run the pipeline there. Is it the same number?
#
# **Leaves behind:** a `main` and a `storage` from which the pipeline reaches the metric it states.
# The check does what the stranger did, and tries whether the model knows the future. **5 points**

# %% [markdown] hint=9
# <details><summary>Hint</summary>
#
# Which of the three does the stranger get nothing from: your commit, your cache, your disk?
#
# <details><summary>The steps</summary>
#
# 1. `dvc add data` after the copy, as in task 4. `split` needs five numbers: four months to learn
#    from, one to be judged on.
# 2. `dvc repro`, then commit all that changed, then `dvc push`.
# 3. `git clone flight-delays stranger`. In there, `dvc pull data` brings the data alone, and
#    `dvc repro` makes the rest. `git status` is silent if all is the same.
#
# <details><summary>Nearly all of it</summary>
#
# `cp ../inbox/*.csv data/` · `dvc add data` · `train: [1, 2, 3, 4]` and `test: 5` · `dvc repro` ·
# `git commit -am "…"` · `dvc push` · `git clone . ../stranger`
#
# </details></details></details>

# %% answer="fresh" language="bash" tags=["nbval-ignore-output"]
# cd work/9-fresh/flight-delays
# ### BEGIN SOLUTION
# cp ../inbox/*.csv data/
# dvc add -q data
# sed -e 's/train: .*]/train: [1, 2, 3, 4]/' -e 's/test: 4/test: 5/' params.yaml > new.yaml
# mv new.yaml params.yaml
# dvc repro
# git commit -q -am "Learn from January to April, judge on May"
# dvc push
# git clone -q . ../stranger
# cd ../stranger
# dvc pull -q data
# dvc repro -q
# ### END SOLUTION

# %% look=9 language="bash"
# cd work/9-fresh
# for clone in flight-delays stranger; do
#   echo "--- $clone: metric, then what differs from its commit"
#   cat $clone/metrics.json 2>/dev/null || echo "no such clone yet"
#   git -C $clone status --short 2>/dev/null || true
# done

# %% check="months_in_order"
check.months_in_order(work / "9-fresh")

# %% check="remote_complete"
check.remote_complete(work / "9-fresh")

# %% check="reproduced"
check.reproduced(work / "9-fresh")
### BEGIN HIDDEN TESTS
check.reproduced(work / "9-fresh", unseen=True)
### END HIDDEN TESTS

# %% [markdown]
# ## How far you are
#
# A dot is a check that you have not run yet.

# %%
lab.summary()

# %% [markdown]
# ## What next
#
# You can now say of every number which data, which code and which parameters made it. DVC keeps that
# in files beside the code. MLflow keeps it on a server, where a whole team compares runs and
# promotes models. Many teams use both. And who starts the pipeline each month, when nobody is
# there? An orchestrator such as Airflow does. The [roadmap](../../course/roadmap.ipynb) leads on.
