import config.ids
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_adjustment_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('accounts', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('customers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), default=list, size=None)),
                ('stripe_ids', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), default=list, size=None)),
                ('erased_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('stripe_done_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='erasure', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['stripe_ids'], name='erasure_stripe_ids')],
                'constraints': [models.CheckConstraint(condition=models.Q(('asked_by', models.F('user')), models.Q(('reason', ''), _negated=True), _connector='OR'), name='erasure_by_staff_says_why')],
            },
        ),
    ]
