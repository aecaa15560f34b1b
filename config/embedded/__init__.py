"""One machine, two commands: the bootstrap, the embedded PostgreSQL and the `up` supervisor.

Nothing in here imports Django: these modules prepare the ground on which Django processes then run.
"""
