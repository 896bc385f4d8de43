"""From a verdict to the model that learnt of it: an SP, a gateway, people at the command line."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import TextClass
from gateway.runtime.clock import utcnow
from gateway.systems.learning.model import SampleLabel
from gateway.systems.learning.model_directory import ModelChange, ModelDirectory
from gateway.systems.learning.samples import FileClass, read_file
from gateway.systems.learning.training import train
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.app.conftest import GATEWAY

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, SUBSCRIBER = "10690001", "13800138000"
SELLERS = ("代开各类发票", "低息当天放款", "香港六合特码", "楼盘清仓特价", "刷信誉加微信")
NOTICES = ("您的快递已到驿站", "您预约的号源", "账户余额变动", "明天停水通知", "您的验证码是")
RULE = """\
version: 1
rules:
  - id: R61-model
    check: suspicious
    title: {zh: 像垃圾短信, en: Like spam}
    article: test
    mode: enforce
    applies_to: [verification, service, commercial]
    tolerates: 5 %
"""


def labelled() -> str:
    lines = [
        line
        for number in range(12)
        for spam, ham in zip(SELLERS, NOTICES, strict=True)
        for line in (
            f"spam\tzh\tours/fraud\t{spam}，电话{number:05}",
            f"ham\tzh\tours\t{ham}，编号{number:05}，谢谢",
        )
    ]
    return "\n".join(lines) + "\n"


async def command(*arguments: str) -> str:
    """Run a command of smsward in a process of its own, as people do; return what it prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_what_a_reviewer_discards_is_in_the_model_that_is_tried_next(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path, free_port: int
) -> None:
    yaml = GATEWAY.format(smsc=smsc.port, root=tmp_path, metrics=free_port).replace(
        "starter: false", f"models: {tmp_path}/var/models"
    )
    gateway = await start({"config/gateway.yaml": yaml, "policies/rules/content.yaml": RULE})
    assert gateway.models is not None
    config = ("--config", str(tmp_path / "config"))
    data, model = tmp_path / "train_bulk.tsv", str(tmp_path / "model.npz")
    data.write_text(labelled(), encoding="utf-8")

    # A first model is put in force while the gateway runs.
    samples = read_file(data, [FileClass.read("port")]).samples
    models, change = ModelDirectory(tmp_path / "var/models"), ModelChange(utcnow(), "lin")
    await asyncio.to_thread(models.install, write_model(train(samples, samples, about={})), change)
    await asyncio.to_thread(models.promote, change)
    await gateway.models.refresh()
    esme = await attach(gateway)
    notice = await esme.submit(SOURCE, SUBSCRIBER, "您的快递已到驿站，编号00007，谢谢")
    offer = await esme.submit(SOURCE, SUBSCRIBER, "低息当天放款，电话13911112222")
    assert (notice.is_ok, offer.is_ok) == (True, True)
    assert len(smsc.journal) == 1

    # A reviewer drops what it held, and the next model learns of it.
    await command("quarantine", "discard", offer.message_id, "--by", "lin", *config)
    (sample,) = await gateway.stores.samples.find()
    assert (sample.label, sample.text) == (SampleLabel.SPAM, "低息当天放款，电话00000000000")
    told = ("--add-samples", "--seed", "2", "-o", model, "--json", *config)
    card = json.loads(
        await command("filter", "train", "--data", str(data), "--class", "port", *told)
    )
    assert card["samples"]["spam"] == 1

    # It is tried beside the first one on what is new to the gateway.
    await command("filter", "install", model, *config)
    await gateway.models.refresh()
    for _ in range(3):
        await esme.submit(SOURCE, SUBSCRIBER, "代开各类发票，电话00099")
    assert sum(gateway.models.comparison.counts[TextClass.PORT].values()) == 1
    await gateway.models.tell()
    shown = json.loads(await command("filter", "compare", "--live", "--json", *config))
    assert sum(shown["counts"]["port"].values()) == 1
    assert sum(shown["messages"]["port"].values()) == 3
