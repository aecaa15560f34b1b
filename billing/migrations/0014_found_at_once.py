from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_keys_limited_together'),
        ('billing', '0013_erasures'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('parked_at__isnull', False), ('sent_at__isnull', True)), fields=['parked_at'], name='outbox_parked'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status__in', ('submitted', 'unknown'))), fields=['created_at'], name='payment_in_doubt'),
        ),
        migrations.AddIndex(
            model_name='webhookinbox',
            index=models.Index(condition=models.Q(('done_at__isnull', True), ('parked_at__isnull', False)), fields=['parked_at'], name='inbox_parked'),
        ),
    ]
