import time
import pytest
from tests.promises.test_assembly import *
pytestmark = pytest.mark.slow
async def test_speed(smsc, deploy, attach):
    for mode in ("progressive", "assemble"):
        if mode == "assemble":
            pass
    deployment = await deploy(Account("sp1", window=200))
    deployment.write_policies(LISTS)
    (deployment.directory / "policies" / "content.yaml").write_text(ASSEMBLE, encoding="utf-8")
    await deployment.start()
    esme = await attach(deployment)
    places = [(m, n) for m in range(1, 2001) for n in range(1, 4) if not is_forbidden(m)]
    began = time.monotonic()
    answers = await esme.flood([request(esme, p) for p in places], 200)
    acked = time.monotonic() - began
    ok = sum(a is not None and answer_of(a).is_ok for a in answers)
    try:
        await smsc.received(ok)
    except Exception as e: print("short", len(smsc.journal))
    print(f"\n{len(places)} parts, {ok} ok acked in {acked:.2f}s, all at the SMSC after {time.monotonic()-began:.2f}s, got {len(smsc.journal)}")
del test_long_messages_go_on_whole_or_not_at_all_amid_kills
