import config.ids
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    """Monthly statements, the keys that sign them, and looks at the books."""

    dependencies = [
        ('accounts', '0003_notices'),
        ('billing', '0004_subscriptions'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChainCheckpoint',
            fields=[
                ('account_id', models.UUIDField(primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('head', models.BinaryField(max_length=32)),
                ('balance', models.BigIntegerField()),
                ('checked_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.CharField(max_length=16, primary_key=True, serialize=False)),
                ('public', models.BinaryField(max_length=32)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ('-created_at',),
            },
        ),
        migrations.CreateModel(
            name='ReconciliationRun',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('asked', models.CharField(choices=[('schedule', 'By the schedule'), ('staff', 'By staff'), ('command', 'By command')], max_length=8, verbose_name='asked for')),
                ('everything', models.BooleanField(help_text='All of the history; otherwise what came since it was last verified.')),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('breaches', models.BigIntegerField(default=0)),
                ('findings', models.JSONField(default=list)),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(condition=models.Q(('finished_at__isnull', True)), fields=['requested_at'], name='reconciliation_waiting')],
            },
        ),
        migrations.CreateModel(
            name='Statement',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('month', models.DateField()),
                ('opening_unit', models.CharField(max_length=8)),
                ('unit', models.CharField(max_length=8)),
                ('opening', models.BigIntegerField()),
                ('closing', models.BigIntegerField()),
                ('first_seq', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('head_before', models.BinaryField(max_length=32)),
                ('head', models.BinaryField(max_length=32)),
                ('sums', models.JSONField(default=list)),
                ('content', models.TextField()),
                ('signature', models.BinaryField(max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='statements', to='accounts.billingaccount')),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.signingkey')),
            ],
            options={
                'ordering': ('account', '-month'),
                'constraints': [models.UniqueConstraint(fields=('account', 'month'), name='statement_once_a_month'), models.CheckConstraint(condition=models.Q(('last_seq__gte', django.db.models.expressions.CombinedExpression(models.F('first_seq'), '-', models.Value(1)))), name='statement_in_order')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='statement',
            trigger=pgtrigger.compiler.Trigger(name='statement_sealed', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='ca720a741171563e5bfb70b8ff0ec062cfb9dd63', operation='UPDATE OR DELETE', pgid='pgtrigger_statement_sealed_a26f0', table='billing_statement', when='BEFORE')),
        ),
    ]

