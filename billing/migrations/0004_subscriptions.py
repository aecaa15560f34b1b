import config.ids
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from billing.services import periods


def adopt_plans(apps, schema_editor):
    """Accounts that had a plan before there were subscriptions: their periods count from the day they were opened,
    and the plan credits they have become the running period's.
    """
    Account, Plan = apps.get_model("accounts", "BillingAccount"), apps.get_model("catalog", "Plan")
    Profile, Grant = apps.get_model("catalog", "Profile"), apps.get_model("ledger", "Grant")
    Balance = apps.get_model("ledger", "Balance")
    Subscription, Period = apps.get_model("billing", "Subscription"), apps.get_model("billing", "SubscriptionPeriod")
    currencies = dict(Profile.objects.values_list("slug", "cash_currency"))
    plans = {(plan.profile_id, plan.slug): plan for plan in Plan.objects.all()}
    moment = django.utils.timezone.now()
    for account in Account.objects.exclude(plan="").filter(status="active", mode__in=["prepaid", "subscription"]):
        plan = plans.get((account.profile, account.plan))
        if plan is None:
            continue
        anchor = account.created_at.replace(microsecond=0)
        number = periods.number_at(anchor, moment)
        starts_at, ends_at = periods.period(anchor, number)
        row = Subscription.objects.create(
            account=account, plan=plan.slug, status="active", anchor=anchor, period_ends_at=ends_at,
        )
        Period.objects.create(
            subscription=row, number=number, plan=plan.slug, price=plan.price, currency=currencies[account.profile],
            credits=plan.credits, starts_at=starts_at, ends_at=ends_at,
        )
        if plan.credits:
            mine = Grant.objects.filter(account=account, source="plan", is_spent=False)
            once = mine.filter(transaction__key__startswith="plan:once:")
            if mine.exclude(pk__in=once).update(expires_at=ends_at):
                Balance.objects.filter(pk=account.pk).filter(
                    models.Q(next_expiry=None) | models.Q(next_expiry__gt=ends_at)
                ).update(next_expiry=ends_at)


class Migration(migrations.Migration):
    """Subscriptions and their periods, changes of mode, credit limits, invoices."""

    dependencies = [
        ('accounts', '0003_notices'),
        ('billing', '0003_limits'),
        ('catalog', '0004_price_book_versions'),
        ('ledger', '0004_usage_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(unique=True)),
                ('status', models.CharField(choices=[('open', 'Open'), ('paid', 'Paid'), ('void', 'Void')], default='open', max_length=4)),
                ('name', models.CharField(max_length=120)),
                ('email', models.CharField(max_length=254)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('unit', models.CharField(max_length=8)),
                ('total', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('due_minor', models.BigIntegerField()),
                ('issued_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('transaction_id', models.UUIDField(unique=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('reference', models.CharField(blank=True, max_length=120)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('void_transaction_id', models.UUIDField(blank=True, null=True, unique=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='accounts.billingaccount')),
                ('finished_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-number',),
            },
        ),
        migrations.CreateModel(
            name='ClosedMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField()),
                ('closed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.billingaccount')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.invoice')),
            ],
            options={
                'ordering': ('-month',),
            },
        ),
        migrations.CreateModel(
            name='InvoiceCounter',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('last', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='invoicecounter_single_row')],
            },
        ),
        migrations.CreateModel(
            name='InvoiceLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('model', models.CharField(blank=True, max_length=80)),
                ('operation', models.CharField(blank=True, max_length=80)),
                ('description', models.CharField(max_length=200)),
                ('quantity', models.PositiveIntegerField(blank=True, null=True)),
                ('amount', models.BigIntegerField()),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.invoice')),
            ],
            options={
                'ordering': ('invoice', 'position'),
            },
        ),
        migrations.CreateModel(
            name='ModeChange',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('from_mode', models.CharField(max_length=16)),
                ('to_mode', models.CharField(max_length=16)),
                ('from_unit', models.CharField(max_length=8)),
                ('to_unit', models.CharField(max_length=8)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('set_aside_id', models.UUIDField(blank=True, null=True)),
                ('at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mode_changes', to='accounts.billingaccount')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-at', '-id'),
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('plan', models.SlugField()),
                ('status', models.CharField(choices=[('trialing', 'Trial'), ('active', 'Active'), ('past_due', 'Past due'), ('paused', 'Paused'), ('canceled', 'Ended')], max_length=10)),
                ('anchor', models.DateTimeField()),
                ('period_ends_at', models.DateTimeField()),
                ('next_plan', models.SlugField(blank=True)),
                ('cancel_at_end', models.BooleanField(default=False)),
                ('trial_ends_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='accounts.billingaccount')),
            ],
            options={
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='SubscriptionEvent',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('started', 'Started'), ('renewed', 'Renewed'), ('upgraded', 'Changed at once'), ('scheduled', 'Change scheduled'), ('canceling', 'End scheduled'), ('undone', 'Scheduled change undone'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('ended', 'Ended')], max_length=10)),
                ('from_plan', models.SlugField(blank=True)),
                ('to_plan', models.SlugField(blank=True)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField()),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='billing.subscription')),
            ],
            options={
                'ordering': ('-at', '-id'),
            },
        ),
        migrations.CreateModel(
            name='SubscriptionPeriod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('plan', models.SlugField()),
                ('price', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('credits', models.BigIntegerField()),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='periods', to='billing.subscription')),
            ],
            options={
                'ordering': ('-starts_at',),
            },
        ),
        migrations.CreateModel(
            name='CreditLimitDecision',
            fields=[
                ('id', models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('source', models.CharField(choices=[('rule', 'Rule'), ('override', 'Staff'), ('release', 'Back to the rule')], max_length=8)),
                ('limit', models.BigIntegerField()),
                ('facts', models.JSONField(default=dict)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_limits', to='accounts.billingaccount')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['account', '-id'], name='creditlimit_account')],
                'constraints': [models.CheckConstraint(condition=models.Q(('limit__gte', 0)), name='creditlimit_not_negative'), models.CheckConstraint(condition=models.Q(('source', 'rule'), models.Q(('reason', ''), _negated=True), _connector='OR'), name='creditlimit_staff_says_why')],
            },
        ),
        migrations.AddIndex(
            model_name='invoice',
            index=models.Index(condition=models.Q(('status', 'open')), fields=['due_at'], name='invoice_open_due'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(fields=('account', 'ends_at'), name='invoice_period_once'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(('due_minor__gte', 0), ('total__gt', 0)), name='invoice_amounts_positive'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='invoice_ends_after_start'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('status', 'open')), models.Q(('finished_at__isnull', False), ('status', 'paid')), models.Q(('finished_at__isnull', False), ('status', 'void'), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='invoice_finished_fits'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'void'), ('void_transaction_id__isnull', False)), models.Q(models.Q(('status', 'void'), _negated=True), ('void_transaction_id__isnull', True)), _connector='OR'), name='invoice_void_is_posted'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='invoice',
            trigger=pgtrigger.compiler.Trigger(name='invoice_transitions', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{open:paid,open:void}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='5846c1d31d445d36fca1145d8495224b4dbbbbd2', operation='UPDATE', pgid='pgtrigger_invoice_transitions_c6754', table='billing_invoice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='invoice',
            trigger=pgtrigger.compiler.Trigger(name='invoice_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='37d86de519fac5a1b0fbc94df2405f9d7d9783ea', operation='DELETE', pgid='pgtrigger_invoice_is_kept_8f3df', table='billing_invoice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='invoice',
            trigger=pgtrigger.compiler.Trigger(name='invoice_figures_stay', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."due_minor" IS DISTINCT FROM (NEW."due_minor") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."starts_at" IS DISTINCT FROM (NEW."starts_at") OR OLD."total" IS DISTINCT FROM (NEW."total") OR OLD."unit" IS DISTINCT FROM (NEW."unit"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='40ee2a3528c7490da6fbac5d16c728c78ae9356e', operation='UPDATE', pgid='pgtrigger_invoice_figures_stay_b695b', table='billing_invoice', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='closedmonth',
            constraint=models.UniqueConstraint(fields=('account', 'month'), name='closedmonth_once'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.UniqueConstraint(fields=('invoice', 'position'), name='invoiceline_position_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='invoiceline',
            trigger=pgtrigger.compiler.Trigger(name='invoiceline_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='790d5f292955beeab4f9f056cc04773ee647ac5e', operation='UPDATE OR DELETE', pgid='pgtrigger_invoiceline_is_kept_a6713', table='billing_invoiceline', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='modechange',
            index=models.Index(fields=['account', '-at'], name='modechange_account'),
        ),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(condition=models.Q(('status__in', ['trialing', 'active', 'past_due'])), fields=['period_ends_at'], name='subscription_due'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['trialing', 'active', 'past_due', 'paused'])), fields=('account',), name='subscription_one_live'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('status', 'canceled')), models.Q(models.Q(('status', 'canceled'), _negated=True), ('ended_at__isnull', True)), _connector='OR'), name='subscription_ended_when_canceled'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('next_plan', ''), ('cancel_at_end', False), _connector='OR'), name='subscription_one_plan_for_the_end'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscription',
            trigger=pgtrigger.compiler.Trigger(name='subscription_transitions', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{trialing:canceled,active:past_due,active:paused,active:canceled,past_due:active,past_due:paused,past_due:canceled,paused:active,paused:canceled}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='b168b76b60485cba85f73b7dc248db5ae6f373ff', operation='UPDATE', pgid='pgtrigger_subscription_transitions_93fa3', table='billing_subscription', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.UniqueConstraint(fields=('subscription', 'number'), name='period_once'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='period_ends_after_start'),
        ),
        migrations.AddConstraint(
            model_name='subscriptionperiod',
            constraint=models.CheckConstraint(condition=models.Q(('credits__gte', 0), ('price__gte', 0)), name='period_amounts_not_negative'),
        ),
        migrations.RunPython(adopt_plans, migrations.RunPython.noop),
    ]
