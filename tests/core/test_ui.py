from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone


class ReviewForm(forms.Form):
    name = forms.CharField(max_length=5, help_text="Letters only")
    secret = forms.CharField(widget=forms.PasswordInput)
    kind = forms.ChoiceField(choices=[("text", "Text"), ("chat", "Chat")], widget=forms.RadioSelect)
    note = forms.CharField(required=False)
    scopes = forms.MultipleChoiceField(choices=[("read", "Read")], widget=forms.CheckboxSelectMultiple)


def draw(source: str, **context: Any) -> str:
    return str(engines["django"].from_string("{% load ui %}" + source).render(context))


def test_field__error_and_help__described_by_both() -> None:
    html = draw("{% field form.name %}", form=ReviewForm({"name": "too long"}))
    assert 'aria-describedby="id_name_help id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert '<label class="field__label" for="id_name">' in html
    assert 'id="id_name_error"' in html


def test_field__keyword_arguments__become_attributes() -> None:
    html = draw('{% field form.note autocomplete="off" data_x="1" %}', form=ReviewForm())
    assert 'autocomplete="off"' in html
    assert 'data-x="1"' in html
    assert "optional" in html


def test_field__hostile_value__escaped() -> None:
    html = draw("{% field form.note %}", form=ReviewForm({"note": '"><script>'}))
    assert "<script>" not in html


def test_field__radio_buttons__each_in_its_label() -> None:
    html = draw("{% field form.kind %}", form=ReviewForm())
    assert html.count('<label class="check">') == 2
    assert "<legend" in html


def test_form_errors__error_of_the_whole_form__announced() -> None:
    form = ReviewForm({})
    form.add_error(None, "Both cannot be empty.")
    assert 'role="alert"' in draw("{% form_errors form %}", form=form)


def test_when__past_moment__relative_with_exact_title() -> None:
    with timezone.override("Europe/Berlin"):
        html = draw("{% when moment %}", moment=timezone.now() - timedelta(minutes=3, seconds=5))
    assert "3\N{NO-BREAK SPACE}min ago" in html
    assert "CET" in html or "CEST" in html


def test_when__absent__says_so() -> None:
    assert "never" in draw("{% when moment %}", moment=None)


@pytest.mark.parametrize(
    ("status", "amount", "words"),
    [
        ("priced", Decimal("0.00424"), "$0.004240"),
        ("unknown", None, "unknown"),
        ("free", None, "free"),
        ("sandbox", Decimal("1.5"), "$1.50 <small>sandbox</small>"),
        (None, None, "none"),
    ],
)
def test_cost__price_status__never_a_made_up_zero(status: str, amount: Decimal | None, words: str) -> None:
    assert words in draw("{% cost status amount %}", status=status, amount=amount)


def test_meter__parts__share_the_total_in_order() -> None:
    html = draw('{% meter "6 of 10" 10 ok=6 bad=1 %}')
    assert 'class="m-ok" x="0.0" width="60.0"' in html
    assert 'class="m-bad" x="60.0" width="10.0"' in html


def test_meter__more_than_the_total__ends_at_the_end() -> None:
    assert 'width="100.0"' in draw('{% meter "12 of 10" 10 ok=12 %}')


def test_meter__nothing_in_total__empty_bar() -> None:
    assert "<rect" not in draw('{% meter "none" 0 ok=0 %}')


def test_sort_header__current_column__turns_and_keeps_filters() -> None:
    request = RequestFactory().get("/?sort=name&q=refund&starting_after=x")
    html = draw('{% sort_header "Name" "name" %}', request=request)
    assert 'aria-sort="ascending"' in html
    assert "sort=-name" in html
    assert "q=refund" in html
    assert "starting_after" not in html


def test_field__checkboxes__are_no_radio_buttons() -> None:
    html = draw("{% field form.scopes %}", form=ReviewForm())
    assert "box--radio" not in html


def test_status__unknown_name__shown_as_it_is() -> None:
    assert "On hold" in draw('{% status "on_hold" %}')
