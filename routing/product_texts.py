"""What the products are called to people, in the languages of the pages: what it is, what stands there, what a line is, what is diverted."""

from dataclasses import dataclass
from typing import NamedTuple


class Words(NamedTuple):
    """One text in each language of the pages."""

    de: str
    en: str


@dataclass(frozen=True, slots=True)
class ProductTexts:
    """The texts of a product: half a sentence for ``at_customer``, whole sentences for the others."""

    about: Words
    """What the product is."""
    at_customer: Words
    """What stands at the customer's."""
    line: Words
    """What is meant by a line of it."""
    diverted: Words
    """When calls are diverted, and which."""


_REGISTERED_LINE = Words(
    "Eine Leitung ist die Anmeldung Ihrer Telefonanlage; alle Rufnummern des Auftrags kommen darüber an.",
    "A line is the registration of your phone system; all numbers of the order are delivered on it.",
)
_WHOLE_SYSTEM = Words(
    "Umgeleitet werden Anrufe zu allen Rufnummern und Nebenstellen, solange Ihre Telefonanlage nicht angemeldet ist oder nicht "
    "antwortet. Nebenstellen können eigene Ziele haben.",
    "Calls to all numbers and extensions are diverted while your phone system is not registered or does not answer. Extensions may "
    "have targets of their own.",
)
_DEVICE = Words(
    "Zugangsgerät (IAD) mit ISDN- oder Analoganschluss dahinter", "Access device (IAD) with ISDN or analogue behind it"
)
_DEVICE_LINE = Words(
    "Eine Leitung ist die Anmeldung des Zugangsgeräts; Ihre Telefone oder Ihre Telefonanlage sind daran angeschlossen.",
    "A line is the registration of the access device; your phones or your phone system are connected to it.",
)
_BEHIND_DEVICE = Words(
    "Umgeleitet werden Anrufe, solange das Zugangsgerät nicht angemeldet ist oder nicht antwortet. Was dahinter ausfällt, ist von "
    "hier aus nicht immer zu sehen.",
    "Calls are diverted while the access device is not registered or does not answer. What fails behind it cannot always be seen "
    "from here.",
)
_GATEWAY = Words(
    "Gateway anstelle eines Primärmultiplexanschlusses, 30 Kanäle und mehr",
    "Gateway in place of a primary-rate ISDN line, 30 channels and more",
)
_GATEWAY_LINE = Words(
    "Eine Leitung ist das Gateway unter seiner festen Adresse, gegebenenfalls mit einem zweiten als Ersatz.",
    "A line is the gateway at its fixed address, perhaps with a second one as backup.",
)
_BEHIND_GATEWAY = Words(
    "Umgeleitet werden Anrufe zum ganzen Rufnummernblock, solange kein Gateway antwortet oder das Gateway Anrufe als gestört abweist.",
    "Calls to the whole number block are diverted while no gateway answers, or the gateway refuses calls because of a fault.",
)

ACCOUNT = ProductTexts(
    about=Words(
        "SIP-Zugang für einzelne Telefone mit einzelnen Rufnummern.",
        "SIP access for single phones with single numbers.",
    ),
    at_customer=Words("Einzelne SIP-Telefone oder ein Zugangsgerät", "Single SIP phones, or an access device"),
    line=Words(
        "Eine Leitung ist ein Konto, mit dem sich Ihre Telefone anmelden.",
        "A line is an account that your phones register with.",
    ),
    diverted=Words(
        "Umgeleitet werden Anrufe zu den Rufnummern eines Kontos, solange kein Telefon dafür angemeldet ist oder keines antwortet.",
        "Calls to the numbers of an account are diverted while no phone is registered for it, or none answers.",
    ),
)
TRUNK = ProductTexts(
    about=Words(
        "SIP-Anlagenanschluss mit Rufnummernblöcken und einzelnen Rufnummern.",
        "SIP trunk for a phone system, with number blocks and single numbers.",
    ),
    at_customer=Words("IP-Telefonanlage", "IP phone system"),
    line=_REGISTERED_LINE,
    diverted=_WHOLE_SYSTEM,
)
TRUNK_PRO = ProductTexts(
    about=Words(
        "SIP-Anlagenanschluss mit fester IP-Adresse, auf Wunsch über zwei Standorte.",
        "SIP trunk with a fixed IP address, over two sites if wished.",
    ),
    at_customer=Words(
        "IP-Telefonanlage mit fester IP-Adresse, oft an zwei Standorten", "IP phone system, fixed IP, often two sites"
    ),
    line=Words(
        "Eine Leitung sind die festen Adressen Ihrer Telefonanlage: zuerst die Hauptadresse, dann der Ersatz.",
        "A line is the fixed addresses of your phone system: the primary one first, then the backup.",
    ),
    diverted=Words(
        "Fällt die Hauptadresse aus, gehen Anrufe zur Ersatzadresse. Umgeleitet wird erst, wenn keine von beiden antwortet.",
        "When the primary address fails, calls go to the backup. They are diverted only when neither answers.",
    ),
)
BUNDLE = ProductTexts(
    about=Words(
        "SIP-Anlagenanschluss zusammen mit der Datenleitung, über die er läuft.",
        "SIP trunk together with the data line that it runs over.",
    ),
    at_customer=Words("IP-Telefonanlage an der mitgelieferten Datenleitung", "IP phone system on the data line of the bundle"),
    line=_REGISTERED_LINE,
    diverted=_WHOLE_SYSTEM,
)
OFFICE_FLAT = ProductTexts(
    about=Words(
        "Pauschalanschluss für Büros, als Mehrgeräteanschluss mit MSNs oder als Anlagenanschluss mit Rufnummernblock.",
        "Flat-rate line for offices, with single numbers (MSNs) or with a number block.",
    ),
    at_customer=_DEVICE,
    line=_DEVICE_LINE,
    diverted=_BEHIND_DEVICE,
)
VOICE_DIRECT = ProductTexts(
    about=Words(
        "Direkter Sprachanschluss mit MSNs oder Rufnummernblock.",
        "Direct voice line with single numbers (MSNs) or a number block.",
    ),
    at_customer=_DEVICE,
    line=_DEVICE_LINE,
    diverted=_BEHIND_DEVICE,
)
PRIMARY_RATE = ProductTexts(
    about=Words(
        "Nachfolger des Primärmultiplexanschlusses für große Rufnummernblöcke.",
        "Successor of the primary-rate ISDN line, for large number blocks.",
    ),
    at_customer=_GATEWAY,
    line=_GATEWAY_LINE,
    diverted=_BEHIND_GATEWAY,
)
PRIMARY_RATE_OPTION = ProductTexts(
    about=Words(
        "Primärmultiplexanschluss als Option zu einem anderen Anschluss, für große Rufnummernblöcke.",
        "Primary-rate line as an option to another line, for large number blocks.",
    ),
    at_customer=_GATEWAY,
    line=_GATEWAY_LINE,
    diverted=_BEHIND_GATEWAY,
)
CENTREX = ProductTexts(
    about=Words(
        "Telefonanlage im Netz: ein Rufnummernblock, jede Nebenstelle mit eigener Anmeldung.",
        "Phone system in the network: a number block, each extension with a registration of its own.",
    ),
    at_customer=Words("Telefone an einer Anlage im Netz", "Phones on a hosted system"),
    line=Words(
        "Eine Leitung ist eine Nebenstelle; mehrere Telefone können sich dafür anmelden. Die Nebenstellen eines Standorts gehören "
        "zusammen.",
        "A line is an extension; several phones may register for it. The extensions of a site belong together.",
    ),
    diverted=Words(
        "Umgeleitet werden Anrufe zu jeder Nebenstelle, für die kein Telefon mehr angemeldet ist. Fallen fast alle eines Standorts "
        "gemeinsam aus, gilt der Standort als gestört.",
        "Calls to each extension are diverted for which no phone is registered any more. When nearly all of a site fall together, the "
        "site counts as down.",
    ),
)
