"""Each product from the import of its tables to a delivered call, to a diverted one, and back.

A product's line breaks here in the way in which lines of that product are judged (`routing.products`).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from routing.local_time import BERLIN
from routing.products import PRODUCTS
from tests.harness.caller import Caller, targets
from tests.harness.phone import Phone
from tests.harness.products import Customer, bring_in, write_tables
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.sip]
SEEN_S = 20.0
"""With the short times of these profiles a fault is seen within two seconds; more for a busy machine."""


@pytest.fixture
def core(bare_service: Service) -> Iterator[Caller]:
    """The core that sends us calls."""
    with Caller(bare_service.address) as caller:
        yield caller


# ---- what breaks, and what mends it ----------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """What happens to a device."""

    breaks: Callable[[Phone], object]
    mends: Callable[[Phone], object]


def silence(phone: Phone) -> None:
    phone.silent = True


def end_silence(phone: Phone) -> None:
    phone.silent = False


def refuse_options(phone: Phone) -> None:
    phone.options_status = (503, "Service Unavailable")


def answer_options(phone: Phone) -> None:
    phone.options_status = (200, "OK")


def register(phone: Phone) -> None:
    phone.register_ok()


def log_out(phone: Phone) -> None:
    phone.register_ok(0)


def run_out(phone: Phone) -> None:
    phone.register_ok(1)


SILENT = Fault(silence, end_silence)
UNABLE = Fault(refuse_options, answer_options)
LOGGED_OUT = Fault(log_out, register)
RUN_OUT = Fault(run_out, register)


# ---- customers ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A customer of a product, what happens to his device, and what his calls then get."""

    customer: Customer
    fault: Fault
    diverted: dict[str, list[str]]
    """Called number → where it is diverted to, in order."""
    ignores: tuple[str, ...] = ()
    """Methods that the device never answers."""


def row(**cells: str) -> dict[str, str]:
    return cells


TODAY = datetime.now(BERLIN).date().isoformat()
KEPT = "089 99998…"
REGISTERED = [
    Case(
        # Single phones: one account with two numbers. Who logs out is gone at once.
        Customer(
            "account",
            "sipAccount 2.0",
            numbers=(row(number="069 90009000"), row(number="069 90009001")),
            rules=(row(targets="0171 3920000"), row(number="069 90009001", targets="0171 3920001 | 0171 3920002")),
        ),
        LOGGED_OUT,
        {"+496990009000": ["+491713920000"], "+496990009001": ["+491713920001", "+491713920002"]},
    ),
    Case(
        # A phone system with one registration for all: extensions of one and of three digits side by side, and a single number.
        Customer(
            "trunk",
            "sipTrunk 2.0",
            blocks=(row(id="block-trunk", base="030 23125", extensions="0 | 010…099"),),
            numbers=(row(number="069 90009010"),),
            rules=(
                row(block="block-trunk", targets=KEPT),
                row(block="block-trunk", extensions="020…029", targets="0171 3920012"),
                row(number="030 23125 021", targets="0171 3920011"),
                row(targets="0171 3920010"),
            ),
        ),
        SILENT,
        {
            "+4930231250": ["+4989999980"],
            "+493023125010": ["+498999998010"],
            "+493023125020": ["+491713920012"],
            "+493023125021": ["+491713920011"],
            "+496990009010": ["+491713920010"],
        },
    ),
    Case(
        # The same in a bundle with the data line, live from today on. Its registration runs out.
        Customer(
            "bundle",
            "Jubiläumstarif",
            order=row(data_line="VDSL 50", bandwidth="50M", active_from=TODAY),
            blocks=(row(id="block-bundle", base="030 23125", extensions="200…299"),),
            numbers=(row(number="069 90009020"),),
            rules=(row(block="block-bundle", targets="0171 3920020"), row(targets="0171 3920021")),
        ),
        RUN_OUT,
        {"+493023125299": ["+491713920020"], "+496990009020": ["+491713920021"]},
    ),
    Case(
        # An access device that knows no OPTIONS: it is judged by its registration alone.
        Customer(
            "flat",
            "office-flat NGN",
            numbers=(row(number="069 90009030"), row(number="069 90009031"), row(number="069 90009032")),
            rules=(row(number="069 90009031", targets="0171 3920031"), row(targets="0171 3920030")),
        ),
        RUN_OUT,
        {"+496990009030": ["+491713920030"], "+496990009031": ["+491713920031"], "+496990009032": ["+491713920030"]},
        ignores=("OPTIONS",),
    ),
    Case(
        # An access device that answers OPTIONS, with a small block and an MSN.
        Customer(
            "direct",
            "voice-direct NGN",
            blocks=(row(id="block-direct", base="040 66969", extensions="000…009"),),
            numbers=(row(number="069 90009040"),),
            rules=(row(block="block-direct", targets=KEPT), row(targets="0171 3920040")),
        ),
        SILENT,
        {"+494066969007": ["+498999998007"], "+496990009040": ["+491713920040"]},
    ),
]
GATEWAYS = [
    Case(
        # A gateway at a fixed address; the second block has no rule of its own.
        Customer(
            "primary",
            "PMX NGN",
            blocks=(
                row(id="block-primary", base="040 66969", extensions="100…499"),
                row(id="second-primary", base="0221 4710", extensions="200…299"),
            ),
            rules=(row(block="block-primary", targets=KEPT), row(targets="0171 3920050")),
        ),
        SILENT,
        {"+494066969100": ["+498999998100"], "+494066969499": ["+498999998499"], "+492214710200": ["+491713920050"]},
    ),
    Case(
        # It answers, and says that its other side is gone.
        Customer(
            "option",
            "PMX NGN Option",
            blocks=(
                row(id="block-option", base="040 66969", extensions="500…999"),
                row(id="second-option", base="0221 4710", extensions="300…399"),
            ),
            rules=(row(block="block-option", targets=KEPT), row(targets="0171 3920060")),
        ),
        UNABLE,
        {"+494066969500": ["+498999998500"], "+492214710399": ["+491713920060"]},
    ),
]
PRO = Customer(
    "pro",
    "sipTrunk 2.0 Pro",
    blocks=(
        row(id="block-pro", base="030 23125", extensions="100…199"),
        row(id="second-pro", base="0221 4710", extensions="100…199"),
    ),
    rules=(
        row(block="block-pro", targets=KEPT),
        row(block="block-pro", extensions="150…159", targets="0171 3920071 | 0171 3920072"),
        row(targets="0171 3920070"),
    ),
)
PRO_DIVERTED = {
    "+493023125100": ["+498999998100"],
    "+493023125155": ["+491713920071", "+491713920072"],
    "+492214710100": ["+491713920070"],
}
CENTREX = Customer(
    "centrex",
    "centrex Premium",
    lines=(
        row(id="line-centrex", users="user-310", password="secret-of-310"),
        row(id="line-centrex-311", users="user-311", password="secret-of-311"),
    ),
    blocks=(row(id="block-centrex", base="030 23125", extensions="310…311"),),
    numbers=(row(number="030 23125 310"), row(number="030 23125 311", line="line-centrex-311")),
    rules=(row(block="block-centrex", targets=KEPT), row(number="030 23125 311", targets="0171 3920080")),
)


# ---- steps -------------------------------------------------------------------------------------------------------------------


def diverted_to(core: Caller, number: str) -> list[str] | int:
    """Call a number: the targets of its 302, or the status."""
    final = core.dial(number).final
    return [uri.removeprefix("sip:").partition("@")[0] for uri in targets(final)] if final.status == 302 else final.status


def assert_diverted(core: Caller, expected: dict[str, list[str]]) -> None:
    assert {number: diverted_to(core, number) for number in expected} == expected


def assert_delivered(core: Caller, phone: Phone, numbers: dict[str, list[str]], product: str) -> None:
    """Each number rings at the phone, with what a line of this product wants in the Request-URI."""
    for number in numbers:
        before = phone.count("INVITE")
        core.whole_call(number)
        invites = [message for message in phone.log if message.method == "INVITE"]
        assert len(invites) == before + 1, number
        contact = PRODUCTS[product].request_uri == "contact"
        assert f"sip:{phone.user if contact else number}@" in invites[-1].start


def assert_imported(counts: dict[str, Any], customer: Customer) -> None:
    tables = customer.tables()
    kinds = {"lines": "line", "blocks": "block", "numbers": "number", "rules": "diversion", "orders": "order"}
    assert {kind: counts[kind]["added"] for kind in kinds.values()} == {kinds[name]: len(tables[name]) for name in kinds}


# ---- tests -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REGISTERED, ids=lambda case: case.customer.product)
def test_a_registered_line_from_import_to_a_diverted_call_and_back(bare_service: Service, core: Caller, case: Case) -> None:
    customer, service = case.customer, bare_service
    assert_imported(bring_in(service, customer), customer)
    # Nobody has registered yet, so the line is down, and its calls are diverted already.
    service.wait_for_health(customer.line, "down", SEEN_S)
    assert_diverted(core, case.diverted)
    with Phone(proxy=service.address, user=customer.user, password=customer.password) as phone:
        phone.ignores = set(case.ignores)
        phone.register_ok()
        service.wait_for_health(customer.line, "up", SEEN_S)
        if "OPTIONS" in case.ignores:
            until(lambda: phone.count("OPTIONS") > 5, timeout_s=SEEN_S, what="OPTIONS to go unanswered")
            assert service.lines()[customer.line]["effective"] == "up"
        else:
            service.wait_for_answers(customer.line)
        assert_delivered(core, phone, case.diverted, customer.product)
        case.fault.breaks(phone)
        service.wait_for_health(customer.line, "down", SEEN_S)
        assert_diverted(core, case.diverted)
        case.fault.mends(phone)
        service.wait_for_health(customer.line, "up", SEEN_S)
        assert_delivered(core, phone, case.diverted, customer.product)


@pytest.mark.parametrize("case", GATEWAYS, ids=lambda case: case.customer.product)
def test_a_gateway_from_import_to_a_diverted_call_and_back(bare_service: Service, core: Caller, case: Case) -> None:
    service = bare_service
    with Phone(proxy=service.address) as gateway:
        customer = with_peers(case.customer, gateway)
        assert_imported(bring_in(service, customer), customer)
        service.wait_for_answers(customer.line)
        assert_delivered(core, gateway, case.diverted, customer.product)
        case.fault.breaks(gateway)
        service.wait_for_health(customer.line, "down", SEEN_S)
        assert_diverted(core, case.diverted)
        case.fault.mends(gateway)
        service.wait_for_health(customer.line, "up", SEEN_S)
        assert_delivered(core, gateway, case.diverted, customer.product)


def test_calls_go_to_the_backup_first_and_are_diverted_when_both_are_dead(bare_service: Service, core: Caller) -> None:
    service = bare_service
    with Phone(proxy=service.address) as primary, Phone(proxy=service.address) as backup:
        customer = with_peers(PRO, primary, backup)
        assert_imported(bring_in(service, customer), customer)
        service.wait_for_answers(customer.line)
        until(lambda: answering(service, customer.line) == 2, what="both peers to answer")
        assert_delivered(core, primary, PRO_DIVERTED, customer.product)
        primary.silent = True
        until(lambda: answering(service, customer.line) == 1, timeout_s=SEEN_S, what="the primary to be down")
        assert service.lines()[customer.line]["effective"] == "up"
        assert_delivered(core, backup, PRO_DIVERTED, customer.product)
        backup.silent = True
        service.wait_for_health(customer.line, "down", SEEN_S)
        assert_diverted(core, PRO_DIVERTED)
        backup.silent = False
        service.wait_for_health(customer.line, "up", SEEN_S)
        assert_delivered(core, backup, PRO_DIVERTED, customer.product)
        primary.silent = False
        until(lambda: answering(service, customer.line) == 2, timeout_s=SEEN_S, what="the primary to be back")
        assert_delivered(core, primary, PRO_DIVERTED, customer.product)


def test_extensions_of_a_centrex_fall_one_by_one_and_their_site_when_all_have(bare_service: Service, core: Caller) -> None:
    service = bare_service
    assert_imported(bring_in(service, CENTREX), CENTREX)
    desk, other = "+493023125310", "+493023125311"
    with ExitStack() as stack:
        phones = [
            stack.enter_context(Phone(proxy=service.address, user=user, password=f"secret-of-{user[-3:]}"))
            for user in ("user-310", "user-310", "user-311")
        ]
        for phone in phones:
            phone.register_ok()
        desk_phone, softphone, neighbour = phones
        service.wait_for_answers("line-centrex", "line-centrex-311")
        assert_delivered(core, neighbour, {other: []}, CENTREX.product)
        core.whole_call(desk)
        # One of the two phones of an extension goes: the other one has its calls.
        desk_phone.register_ok(0)
        until(lambda: len(service.lines()["line-centrex"]["targets"]) == 1, what="one phone to be left")
        assert_delivered(core, softphone, {desk: []}, CENTREX.product)
        # The last one goes: this extension is diverted, the other one is not.
        softphone.register_ok(0)
        service.wait_for_health("line-centrex", "down", SEEN_S)
        assert_diverted(core, {desk: ["+498999998310"]})
        assert_delivered(core, neighbour, {other: []}, CENTREX.product)
        assert [site["state"] for site in sites(service)] == ["degraded"]
        neighbour.silent = True
        service.wait_for_health("line-centrex-311", "down", SEEN_S)
        assert_diverted(core, {desk: ["+498999998310"], other: ["+491713920080"]})
        until(lambda: [site["state"] for site in sites(service)] == ["down"], what="the site to be down")
        neighbour.silent = False
        softphone.register_ok()
        service.wait_for_health("line-centrex", "up", SEEN_S)
        service.wait_for_health("line-centrex-311", "up", SEEN_S)
        assert_delivered(core, softphone, {desk: []}, CENTREX.product)
        assert_delivered(core, neighbour, {other: []}, CENTREX.product)
        until(lambda: not sites(service), what="the site to be up")


def test_a_gateway_that_answers_options_and_refuses_calls_is_judged_by_calls(bare_service: Service, core: Caller) -> None:
    service, number, target = bare_service, "+492214710500", "+491713920090"
    block = row(id="block-calls", base="0221 4710", extensions="500…599")
    with Phone(proxy=service.address) as gateway:
        customer = with_peers(Customer("calls", "PMX NGN", blocks=(block,), rules=(row(targets=target),)), gateway)
        assert_imported(bring_in(service, customer), customer)
        service.wait_for_answers(customer.line)
        assert_delivered(core, gateway, {number: []}, customer.product)
        gateway.rings, gateway.final_status = False, (500, "Server Internal Error")

        def falls() -> bool:
            # Each single call is rescued, whatever the verdict is by then.
            assert diverted_to(core, number) == [target]
            return service.lines()[customer.line]["effective"] == "down"

        until(falls, timeout_s=SEEN_S, what="the line to be down by its calls")
        gateway.rings, gateway.final_status = True, (200, "OK")

        def rises() -> bool:
            call = core.dial(number)
            if call.final.status == 200:
                core.hang_up(call)
            return call.final.status == 200

        until(rises, timeout_s=SEEN_S, what="a trial call to bring the line back")
        service.wait_for_health(customer.line, "up", SEEN_S)
        assert_delivered(core, gateway, {number: []}, customer.product)


def test_diversion_comes_with_an_order_of_each_product_without_being_ordered(bare_service: Service, core: Caller) -> None:
    service = bare_service
    with ExitStack() as stack:
        gateways = iter([stack.enter_context(Phone(proxy=service.address)) for _ in range(3)])
        diverts_by_itself(service, core, gateways)


def diverts_by_itself(service: Service, core: Caller, gateways: Iterator[Phone]) -> None:
    """Import an order of each product whose lines have nobody, or a gateway that refuses; then set targets, and nothing else."""
    customers = [unruled(rank, product, gateways) for rank, product in enumerate(PRODUCTS)]
    tables: dict[str, list[Any]] = {}
    for customer in customers:
        for name, rows in customer.tables().items():
            tables.setdefault(name, []).extend(rows)
    service.run("import", str(write_tables(service.folder / "tables-unruled", tables)), "--yes")
    for rank, customer in enumerate(customers):
        number, target = f"+4922147104{rank}0", f"+49171392009{rank}"
        until(lambda number=number: diverted_to(core, number) == 480, what=f"{customer.product} to be routed and to have no rule")
        service.run("divert", "set", f"order:{customer.key}", "--to", target)
        until(lambda number=number, target=target: diverted_to(core, number) == [target], what=f"{customer.product} to divert")


def unruled(rank: int, product: str, gateways: Iterator[Phone]) -> Customer:
    """A customer who has no rule, and whose line nobody registers on, or whose gateway refuses calls."""
    plain = Customer(f"unruled-{rank}", product)
    if "block" in PRODUCTS[product].numbers:
        plain = replace(plain, blocks=(row(id=f"block-{rank}", base="0221 4710", extensions=f"4{rank}0…4{rank}9"),))
    else:
        plain = replace(plain, numbers=(row(number=f"0221 4710 4{rank}0"),))
    if PRODUCTS[product].line_kind != "static":
        return plain
    gateway = next(gateways)
    gateway.rings, gateway.final_status = False, (503, "Service Unavailable")
    return with_peers(plain, gateway)


def with_peers(customer: Customer, *phones: Phone) -> Customer:
    """Return the customer with a static line to these peers, the primary first."""
    peers = " | ".join(phone.endpoint.sent_by for phone in phones)
    return replace(customer, lines=(row(id=customer.line, peers=peers),))


def answering(service: Service, line: str) -> int:
    """How many peers or contacts of a line are up."""
    return sum(target["health"] == "up" for target in service.lines()[line]["targets"])


def sites(service: Service) -> list[dict[str, Any]]:
    """The centrex customer's site, if it is not up."""
    return [site for site in service.status()["sites"] if site["site"] == "site-centrex"]
