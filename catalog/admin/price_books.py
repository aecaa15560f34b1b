"""Price books for staff: what each version is, its prices as a grid, two versions side by side, the way back."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from catalog import comparison, drafts, grid_form, versions
from catalog.admin.files import PriceFiles
from catalog.admin.pages import UTCMomentField, page, sent, told, who
from catalog.forms import PriceForm
from catalog.models import Price, PriceBook, Profile
from catalog.price_grid import Grid
from catalog.versions import CannotPublish

Status = PriceBook.Status


class RollBackForm(forms.Form):
    """Why staff go back, and from when."""

    reason = forms.CharField(
        widget=UnfoldAdminTextInputWidget, max_length=200, help_text="Shown in the list of versions."
    )
    effective_at = UTCMomentField(label="In force from (UTC)", required=False, help_text="Empty: now.")


class PriceBookAdmin(PriceFiles, ModelAdmin):
    """The versions of every price list. Drafts are edited as a grid; the rest is history."""

    list_display: tuple[str, ...] = ("shown", "state", "effective_at", "published_by", "note")
    list_display_links = None
    list_filter = ("price_list__profile", "price_list", "status")
    list_select_related = ("price_list__profile",)
    fields = (
        *(
            "price_list",
            "version",
            "status",
            "effective_at",
            "note",
            "source",
            "published_at",
            "published_by",
        ),
        *("withdrawn_at", "withdrawn_by", "withdrawn_because"),
    )
    actions = ("draft_from_this",)
    actions_detail: tuple[str, ...] = ("prices", "compare", "download_prices", "upload_prices", "roll_back")

    @display(description="version", ordering="version")  # type: ignore[untyped-decorator]
    def shown(self, book: PriceBook) -> str:
        return format_html('<a href="{}">{}</a>', _url("prices", book), book)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        label={"draft": "info", "scheduled": "warning", "in force": "success", "withdrawn": "danger"},
    )
    def state(self, book: PriceBook) -> str:
        return versions.state_of(book)

    def get_readonly_fields(self, request: HttpRequest, obj: PriceBook | None = None) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name != "note")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = obj is None or (isinstance(obj, PriceBook) and obj.status == Status.DRAFT)
        return draft and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = isinstance(obj, PriceBook) and obj.status == Status.DRAFT
        return draft and bool(super().has_delete_permission(request, obj))

    def delete_model(self, request: HttpRequest, obj: PriceBook) -> None:
        obj.prices.all().delete()
        super().delete_model(request, obj)

    def _book(self, request: HttpRequest, object_id: str) -> PriceBook:
        book: PriceBook | None = self.get_object(request, object_id)
        if book is None:
            raise Http404("There is no such price book.")
        return book

    def _is(self, object_id: str | None, *states: str) -> bool:
        """Whether the version stands so; None asks for the kind of page as such."""
        if object_id is None:
            return True
        try:
            book = PriceBook.objects.select_related("price_list").filter(pk=object_id).first()
        except ValidationError:  # no id at all
            return False
        return book is not None and versions.state_of(book) in states

    @admin.action(description="Open a draft with these prices", permissions=["draft"])
    def draft_from_this(self, request: HttpRequest, queryset: QuerySet[PriceBook]) -> None:
        for book in queryset:
            self._open_draft(request, book)

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_pricebook")

    def _open_draft(self, request: HttpRequest, book: PriceBook) -> PriceBook | None:
        try:
            draft = versions.new_draft(book.price_list, source=book)
        except CannotPublish as error:
            told(request, error)
            return None
        messages.success(request, f"Opened {draft} with the prices of version {book.version}.")
        return draft

    # --- The grid ---

    @action(description="Prices", url_path="prices", permissions=["prices"])  # type: ignore[untyped-decorator]
    def prices(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The version as a grid of models and operations, to be edited while it is a draft."""
        book = self._book(request, object_id)
        if request.method == "POST" and "open_draft" in request.POST:
            self._may_edit(request)
            draft = self._open_draft(request, book)
            return redirect(_url("prices", draft or book))
        if request.method == "POST":
            self._may_edit(request)
            return self._save_prices(request, book)
        return self._prices_page(request, book, drafts.entries(book))

    def has_prices_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(self.has_view_permission(request))

    def _may_edit(self, request: HttpRequest) -> None:
        if not request.user.has_perm("catalog.change_pricebook"):
            raise Http404("Not for you.")

    def _save_prices(self, request: HttpRequest, book: PriceBook) -> HttpResponse:
        found = drafts.entries(book)
        edited = grid_form.read(book, found, request.POST.dict())
        problems: tuple[str, ...] = ()
        if edited.errors:
            count = len(edited.errors)
            problems = (f"{count} figure{'s are' if count > 1 else ' is'} not right; nothing was saved.",)
        else:
            try:
                changed = drafts.store(book, edited.entries, seen=request.POST.get("seen"))
            except CannotPublish as error:
                problems = error.problems
            else:
                messages.success(request, f"Saved: {changed} price{'s' * (changed != 1)} changed.")
                for remark in edited.remarks:
                    messages.info(request, remark)
                return redirect(f"{_url('prices', book)}?{request.GET.urlencode()}")
        return self._prices_page(request, book, found, problems=problems, errors=edited.errors)

    def _prices_page(
        self,
        request: HttpRequest,
        book: PriceBook,
        found: drafts.Entries,
        *,
        problems: tuple[str, ...] = (),
        errors: dict[str, str] | None = None,
    ) -> HttpResponse:
        number = request.GET.get("page", "")
        typed = request.POST.dict() if problems else None
        grid = Grid(
            book,
            found,
            everything="all" in request.GET,
            page=int(number) if number.isdecimal() and len(number) < 6 else 1,
            data=typed,
            errors=errors,
        )
        editable = book.status == Status.DRAFT and request.user.has_perm("catalog.change_pricebook")
        return page(
            request,
            "prices",
            book,
            f"Prices of {book}",
            grid=grid,
            editable=editable,
            may_draft=request.user.has_perm("catalog.change_pricebook"),
            everything="all" in request.GET,
            seen=request.POST.get("seen") if typed else drafts.fingerprint(found),
            problems=problems,
            state=versions.state_of(book),
        )

    # --- Two versions ---

    @action(description="Compare", url_path="compare", permissions=["prices"])  # type: ignore[untyped-decorator]
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This version beside another one of the list, by default the one before it."""
        book = self._book(request, object_id)
        others = [other for other in book.price_list.books.all() if other.pk != book.pk]
        asked = request.GET.get("with", "")
        older = next((other for other in others if str(other.pk) == asked), None)
        older = older or next((other for other in others if other.version < book.version), None)
        older = older or (others[0] if others else None)
        found = comparison.compare(older, book) if older is not None else None
        return page(
            request, "compare", book, f"Changes in {book}", older=older, others=others, comparison=found
        )

    # --- Back to an old one ---

    @action(  # type: ignore[untyped-decorator]
        description="Go back to this version", url_path="roll-back", permissions=["roll_back"]
    )
    def roll_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Publish the prices of this version again, with a reason."""
        book = self._book(request, object_id)
        form = RollBackForm(*sent(request))
        problems: tuple[str, ...] = ()
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            try:
                new = versions.roll_back(
                    book, by=who(request), reason=asked["reason"], effective_at=asked["effective_at"]
                )
            except CannotPublish as error:
                problems = error.problems
            else:
                self.log_change(request, new, f"Rolled back to version {book.version}: {asked['reason']}")
                messages.success(request, f"Published {new} with the prices of version {book.version}.")
                return redirect(reverse("admin:catalog_pricebook_changelist"))
        current = versions.in_force(book.price_list)
        return page(
            request,
            "roll_back",
            book,
            f"Go back to {book}",
            form=form,
            problems=problems,
            status=422 if form.errors else 200,
            current=current,
            comparison=comparison.compare(current, book) if current is not None else None,
        )

    def has_roll_back_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("catalog.change_pricebook") and self._is(object_id, "past", "withdrawn")


admin.site.register(PriceBook, PriceBookAdmin)


@admin.register(Price)
class PriceAdmin(ModelAdmin):
    """One price of a draft with everything that belongs to it; reached from its cell in the grid."""

    form = PriceForm
    fields = ("model", "operation", "amount", "per", "approximate", "requires", "rules")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def _draft(self, obj: Model | None) -> bool:
        return isinstance(obj, Price) and obj.book.status == Status.DRAFT

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._draft(obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._draft(obj) and bool(super().has_delete_permission(request, obj))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only models and operations of the book's own profile."""
        resolver = request.resolver_match
        if resolver is not None and "object_id" in resolver.kwargs:
            profile = Profile.objects.filter(price_lists__books__prices=resolver.kwargs["object_id"]).first()
            kwargs["queryset"] = db_field.remote_field.model.objects.filter(profile=profile)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """A price that was typed no longer follows the provider's cost."""
        if "amount" in form.changed_data:
            obj.provider_cost = None
        super().save_model(request, obj, form, change)

    def response_post_save_change(self, request: HttpRequest, obj: Price) -> HttpResponse:
        return redirect(_url("prices", obj.book))


def _url(name: str, book: PriceBook) -> str:
    return reverse(f"admin:catalog_pricebook_{name}", args=[book.pk])
