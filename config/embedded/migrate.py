"""Run as a program: the missing migrations of DATABASE_URL, after a line that says how many there are.

With ``dependencies`` only those of installed packages (and what they need of ours); the files of ours that
were needed are named afterwards, one ``needs`` line each.
"""

import sys
from pathlib import Path

import django
from django.core.management import call_command


def main(dependencies_only: bool) -> None:
    django.setup()
    from django.apps import apps
    from django.conf import settings
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    ours = {
        app.label
        for app in apps.get_app_configs()
        if Path(app.path).is_relative_to(settings.BASE_DIR) and ".venv" not in app.path
    }
    targets = [node for node in graph.leaf_nodes() if not (dependencies_only and node[0] in ours)]
    plan = executor.migration_plan(targets)
    print("total", len(plan), flush=True)
    if not dependencies_only:
        call_command("migrate", interactive=False)
        return
    for migration, _ in plan:
        print("  Applying", migration, flush=True)
        executor.migrate([(migration.app_label, migration.name)])
        executor.loader.build_graph()
        if migration.app_label in ours:
            source = Path(sys.modules[migration.__module__].__file__ or "")
            print("needs", source.relative_to(settings.BASE_DIR), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] == ["dependencies"])
