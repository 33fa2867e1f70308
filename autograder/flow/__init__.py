"""Run a learner's Airflow DAGs out of reach of the grader, and tell what became of them.

`service` is a process that has Airflow imported and forks for every request.  A fork unpacks the
learner's files, and `run` drives Airflow's own scheduler over them: real DAG runs, real task
processes, real states in a metadata database of their own, one that is a copy of an empty one.
`client` is the side of the checks: it sends files and a scenario, and gets plain data back.

The learner's code runs in processes below the fork only: Airflow parses a DAG file in one and
runs every task in one.  Whoever writes the report never executes a line of it.
"""
