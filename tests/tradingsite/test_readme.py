"""The README's examples do what they say."""

import re
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.contrib.auth import get_user_model

from market_data.models import PipelineRun
from tests.tokens import token_key

README = (Path(settings.BASE_DIR) / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.django_db(transaction=True)
def test_the_example_that_starts_the_pipeline_works(live_server, monkeypatch, capsys):
    key = token_key(get_user_model().objects.create_superuser("admin"), "operate")
    monkeypatch.setenv("TRADING_TOKEN", key)
    [example] = blocks("python")
    exec(example.replace("http://localhost:5001", live_server.url), {})
    run = PipelineRun.objects.get()
    printed = capsys.readouterr().out
    assert f"Task ID: {run.pk}\n" in printed
    assert "'success': True" in printed


@pytest.mark.django_db(transaction=True)
def test_the_keys_of_the_example_answer_exist(live_server):
    [address] = re.findall(r"curl 'http://localhost:5001(.*?)'", README)
    [example] = [block for block in blocks("json") if '"strategy": "balanced"' in block]
    body = requests.get(live_server.url + address, timeout=30).json()
    shown = set(re.findall(r'^  "(\w+)":', example, re.MULTILINE))
    assert shown
    assert shown <= body.keys()


def test_every_key_of_the_api_is_listed():
    from stocks.api.examples import PICKS_ANSWER

    [stock] = PICKS_ANSWER["stocks"]
    listed = set(re.findall(r"`(\w+)`", README.partition("| keys of the answer |")[2].partition("One reader")[0]))
    groups = ("technical_indicators", "fundamentals", "trading_signals")
    assert {*PICKS_ANSWER, *stock, *(key for group in groups for key in stock[group])} - listed == set()
