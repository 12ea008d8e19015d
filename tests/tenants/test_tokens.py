"""API key tokens: shape, checksum, comparison."""

import re

import pytest

from apps.tenants import tokens


def test_new_token__live_and_test__carry_their_kind_and_fit_the_public_pattern() -> None:
    live, test = tokens.new_token(livemode=True), tokens.new_token(livemode=False)
    assert live.text.startswith("psk_live_")
    assert test.text.startswith("psk_test_")
    assert re.fullmatch(tokens.TOKEN_PATTERN, live.text)
    assert live.text.endswith(live.last_four)


def test_new_token__two__differ_in_id_and_secret() -> None:
    first, second = tokens.new_token(livemode=True), tokens.new_token(livemode=True)
    assert first.key_id != second.key_id
    assert first.digest != second.digest


def test_key_id_of__own_token__is_its_id() -> None:
    token = tokens.new_token(livemode=True)
    assert tokens.key_id_of(token.text) == token.key_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "psk_live_",
        "sk-abc",
        "psk_live_short_short",
        "psk_prod_" + "a" * 12 + "_" + "b" * 49,
        "é" * 70,
    ],
)
def test_key_id_of__other_text__is_refused(text: str) -> None:
    with pytest.raises(tokens.MalformedToken, match="isn't an API key"):
        tokens.key_id_of(text)


def test_key_id_of__one_character_changed__fails_the_checksum() -> None:
    token = tokens.new_token(livemode=True).text
    changed = token[:30] + ("a" if token[30] != "a" else "b") + token[31:]
    with pytest.raises(tokens.MalformedToken, match="checksum"):
        tokens.key_id_of(changed)


def test_matches__token_and_another__only_its_own() -> None:
    token, other = tokens.new_token(livemode=True), tokens.new_token(livemode=True)
    assert tokens.matches(token.text, token.digest)
    assert not tokens.matches(other.text, token.digest)
