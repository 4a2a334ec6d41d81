"""Customers of the call centre: an account below it that buys numbers, seats and calls, and a
reseller with a customer of its own."""

import io

from callctl.core.author import Author
from callctl.core.permissions import ALL_SCOPES
from callctl.features.ledger.model import TopUp
from callctl.features.numbers.model import NewBlock, PriceView
from callctl.features.numbers.request_model import NewRequest
from callctl.features.packages.model import PackageTerms, Price
from callctl.features.payments.model import NewInvoiceRequest
from callctl.features.people.model import NewUser
from callctl.features.rates.model import ApplyImport, ImportOptions, NewAssignment, NewTariff
from callctl.http.endpoint import Actor
from tests.console.house import PASSWORD, RIGHT_TO_LEFT, House

_ACCOUNT = """
insert into accounts (parent_id, code, name, kind, country, timezone, currency)
values ($1, 'shop', 'Shop Kft.', 'enterprise', 'HU', 'Europe/Budapest', 'USD') returning id
"""
_BELOW = """
insert into accounts (parent_id, code, name, kind, country, timezone, currency)
values ($1, $2, $3, $4, 'IL', 'Asia/Jerusalem', 'USD') returning id
"""
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft <b>m.b.H."
_ROUTING = """
account: {code: shop, country: HU, timezone: Europe/Budapest}
extensions: [{number: 301, name: Sara Seller}, {number: 302}]
trunks: [{name: carrier, host: 192.0.2.9, match: [192.0.2.9]}]
hunt_groups: [{name: desk, members: [301, 302]}]
"""
_RATES = b"""prefix,destination,price,connect_fee,increment_seconds
3620,Hungary mobile,0.12,0.05,6
36,<i>Hungary,0.0125,0,60
"""
_DEARER = b"""prefix,destination,price,connect_fee,increment_seconds
3620,Hungary mobile,0.15,0.05,6
44,<b>Britain,0.02,0,1
"""
BALANCE = 500_00


async def open_shop(house: House) -> int:
    """With two administrators (``sara``, ``sam``), funds, and something to buy."""
    daemon = house.daemon
    account: int = await daemon.db.fetchval(_ACCOUNT, house.account)
    await daemon.routing.accounts_changed()
    await daemon.routing.apply(account, _ROUTING, Author("sara"))
    boss = Actor(account, "sara", ALL_SCOPES)
    for login, extension in (("sara", "301"), ("sam", "302")):
        new = NewUser(login, login.title(), "administrator", extension=extension, password=PASSWORD)  # type: ignore[arg-type]
        await daemon.users.create_user(boss, new)
        house.passwords[login] = PASSWORD
    seller = house.boss
    await daemon.ledger.top_up(seller, TopUp(BALANCE, "USD", account, "opening"), None)
    await daemon.packages.save_terms(seller, PackageTerms([Price(10_00, "USD")], [3]))
    block = NewBlock("+3612340000", PriceView(5_00, "USD"), PriceView(3_00, "USD"), "+3612340009")
    await daemon.numbers.stock.load_block(seller, block)
    tariff = await daemon.tariffs.create_tariff(seller, NewTariff("Retail", "USD"))
    draft = await daemon.tariffs.upload(seller, tariff.id, io.BytesIO(_RATES), ImportOptions())
    await daemon.tariffs.apply(seller, tariff.id, draft.id, ApplyImport())
    await daemon.tariff_assignments.assign(seller, NewAssignment(account, tariff.id))
    reseller = await daemon.db.fetchval(_BELOW, house.account, "rtl", RIGHT_TO_LEFT, "reseller")
    await daemon.db.execute(_BELOW, reseller, "long", LONG, "enterprise")
    await daemon.routing.accounts_changed()
    await _leave_open(house, boss, tariff.id)
    return account


async def _leave_open(house: House, customer: Actor, tariff: int) -> None:
    """What waits for the seller: an import, a wish for a number, an invoice to be sent."""
    daemon, seller = house.daemon, house.boss
    await daemon.tariffs.upload(seller, tariff, io.BytesIO(_DEARER), ImportOptions())
    await daemon.tariff_assignments.assign(seller, NewAssignment(house.account, tariff, "trunk"))
    wish = NewRequest(country="HU", pattern="*8", note=f"{RIGHT_TO_LEFT} {LONG}")
    await daemon.numbers.requests.ask(customer, wish, None)
    request = NewInvoiceRequest(12_345_67, "USD", LONG, "HU12345678", "1011 Budapest, Fő utca 1.")
    await daemon.invoices.request(customer, request, None)
