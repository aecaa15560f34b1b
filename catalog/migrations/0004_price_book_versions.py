import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    """Versions that may be withdrawn in time, and say where they come from; one at an instant."""

    dependencies = [
        ('catalog', '0003_plan_ranks'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='price',
            name='published_is_history',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='pricebook',
            name='published_is_history',
        ),
        migrations.AddField(
            model_name='pricebook',
            name='plans',
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='pricebook',
            name='published_by',
            field=models.CharField(blank=True, editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name='pricebook',
            name='source',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='copies', to='catalog.pricebook'),
        ),
        migrations.AddField(
            model_name='pricebook',
            name='withdrawn_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='pricebook',
            name='withdrawn_because',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name='pricebook',
            name='withdrawn_by',
            field=models.CharField(blank=True, editable=False, max_length=254),
        ),
        migrations.AlterField(
            model_name='pricebook',
            name='note',
            field=models.CharField(blank=True, help_text='Why; shown in the list of versions.', max_length=200),
        ),
        migrations.AlterField(
            model_name='pricebook',
            name='status',
            field=models.CharField(choices=[('draft', 'Draft'), ('published', 'Published'), ('withdrawn', 'Withdrawn')], default='draft', max_length=10),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='price',
            trigger=pgtrigger.compiler.Trigger(name='published_is_history', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE row_book uuid;', func="\n                IF TG_OP = 'INSERT' THEN row_book := NEW.book_id; ELSE row_book := OLD.book_id; END IF;\n                IF EXISTS (\n                    SELECT 1 FROM catalog_pricebook b WHERE b.id = row_book AND b.status <> 'draft'\n                ) THEN\n                    RAISE EXCEPTION 'Prices of a published price book never change; publish a new version.'\n                        USING ERRCODE = 'restrict_violation';\n                END IF;\n                IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;\n                RETURN NEW;\n                ", hash='91cb2d618674b59c2148e828788cb8959bb1b3b6', operation='INSERT OR UPDATE OR DELETE', pgid='pgtrigger_published_is_history_ea93a', table='catalog_price', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='pricebook',
            trigger=pgtrigger.compiler.Trigger(name='published_is_history', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NOT (OLD."status" = \'draft\'))', func="\nIF TG_OP = 'UPDATE' AND NEW.status = 'withdrawn' AND OLD.status = 'published'\n    AND OLD.effective_at > clock_timestamp()\n    AND (to_jsonb(NEW) - '{status,withdrawn_at,withdrawn_by,withdrawn_because}'::text[])\n      = (to_jsonb(OLD) - '{status,withdrawn_at,withdrawn_by,withdrawn_because}'::text[])\nTHEN\n    RETURN NEW;\nEND IF;\nRAISE EXCEPTION 'Published price books never change; publish a new version.'\n    USING ERRCODE = 'restrict_violation';\n", hash='017b8de2c4b1d9eeb72f6a45e242452f6539b398', operation='UPDATE OR DELETE', pgid='pgtrigger_published_is_history_f2fbd', table='catalog_pricebook', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='pricebook',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'published')), fields=('price_list', 'effective_at'), name='pricebook_one_at_a_time'),
        ),
    ]
