from django.db import migrations, models


class Migration(migrations.Migration):
    """Where in long histories to look."""

    dependencies = [("billing", "0008_status_history")]

    operations = [
        migrations.CreateModel(
            name='HistoryBlock',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('number', models.BigIntegerField()),
                ('largest', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='ChargeBlock',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('number', models.BigIntegerField()),
                ('first_id', models.UUIDField()),
                ('last_id', models.UUIDField()),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('until__isnull', True)), fields=['account_id'], name='chargeblock_open')],
            },
        ),
    ]
