"""Words and fonts of the drawn pages. The fonts come inside the matplotlib package: the same on every machine."""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

FONTS = {
    "serif": "STIXGeneral.ttf",
    "serif-bold": "STIXGeneralBol.ttf",
    "serif-italic": "STIXGeneralItalic.ttf",
    "book": "DejaVuSerif.ttf",
    "book-bold": "DejaVuSerif-Bold.ttf",
    "book-italic": "DejaVuSerif-Italic.ttf",
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "sans-italic": "DejaVuSans-Oblique.ttf",
    "mono": "DejaVuSansMono.ttf",
    "mono-bold": "DejaVuSansMono-Bold.ttf",
    "mono-italic": "DejaVuSansMono-Oblique.ttf",
}
FAMILIES = ("serif", "serif", "book", "sans", "sans", "mono")  # as often as offices use them


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS = _split("""
    the of and to in a is that for it as with be by this at which on or from shall agreement party parties contract
    company hereby under any such herein liability clause payment services conditions delivery notice term date
    obligations provided written consent law court jurisdiction respective representative performance damages
    costs expenses reasonable prior days following receipt invoice amount total annual report board directors
    members shares capital registered office address number account bank transfer signed copy original annex
    schedule paragraph section article effect force majeure termination breach confidential information disclose
    third person property rights title interest purchase price seller buyer lessor lessee premises rent deposit
    guarantee warranty insurance policy claim societe capital euros siege social associe unique statuts gerance
    exercice benefice assemblee decision actes compte formation immatriculation registre commerce president
    soussigne exemplaires fait pouvoirs formalites conformement Vertrag Parteien gemaess Rechnung Betrag
    Leistung Haftung Frist Kuendigung Anlage Unterschrift Gericht Zahlung
""")
CYRILLIC = _split("""
    договор стороны обязательства настоящего оплата услуги исполнитель заказчик срок акт приложение сумма счет
    дата подпись печать директор лицо действующий на основании устава именуемое дальнейшем предмет порядок
    условия ответственность
""")
HEADINGS = (
    "Subject of the agreement", "Payment", "Term and termination", "Liability", "Confidentiality", "Governing law",
    "Delivery and acceptance", "Final provisions", "Rights and duties", "Notices", "Force majeure", "Definitions",
    "Comptes annuels", "Dissolution", "Affectation des benefices", "Haftung", "Schlussbestimmungen", "Purchase price",
)  # fmt: skip
TITLES = (
    "SERVICE AGREEMENT", "CERTIFICATE OF ACCEPTANCE", "POWER OF ATTORNEY", "LEASE CONTRACT", "INVOICE", "STATUTS",
    "DEED OF TRANSFER", "MINUTES OF THE MEETING", "LOAN AGREEMENT", "KAUFVERTRAG", "ACT OF COMPLETED WORKS", "ДОГОВОР",
    "ORDER No 214", "ACKNOWLEDGEMENT OF RECEIPT", "BILL OF LADING", "SHAREHOLDERS' RESOLUTION", "ANNEX 2",
)  # fmt: skip
NAMES = _split("""
    Northwind Harbour Meridian Larkspur Juniper Orion Cobalt Alder Sable Quarry Tidewater Falcon Granite Linden
    Vesper Amber Castell Dornach Eskdale Fennimore
""")
COMPANY_KINDS = (
    "Holding Ltd",
    "Trading LLC",
    "GmbH",
    "S.A.S.",
    "Notary Office",
    "Registry",
    "Insurance",
    "Engineering",
)
PEOPLE = _split(
    "Anna Boris Clara Dmitri Elena Farid Greta Hugo Irina Jonas Karin Leon Maria Nils Olga Pavel Rosa Stefan"
)
FAMILY = _split("""
    Abel Brandt Costa Dubois Ekström Ferrand Gruber Haas Ivanov Jansen Keller Lambert Moreau Novak Orlov Petit
""")
PLACES = ("Lisbon", "Hamburg", "Lyon", "Almaty", "Tallinn", "Graz", "Utrecht", "Bergen", "Porto", "Leeds")
RECEIVED = (
    "RECEIVED",
    "PAID",
    "APPROVED",
    "COPY",
    "CERTIFIED TRUE COPY",
    "REGISTERED",
    "ENTRY No",
    "FOR CONTRACTS",
)


@cache
def font_file(name: str) -> Path:
    """Path of one of `FONTS`; the font files are part of the installed matplotlib."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("matplotlib, which carries the fonts, is not installed")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / FONTS[name]


def font(name: str, size: float) -> "FreeTypeFont":
    """One of `FONTS` at `size` px, to half a pixel."""
    return _font(name, max(round(size * 2), 6))


@lru_cache(maxsize=50_000)
def length(name: str, size: float, text: str) -> float:
    """Width of a text in `font(name, size)`, px; remembered, as words come again."""
    return font(name, size).getlength(text)


@lru_cache(maxsize=60_000)
def word_mask(name: str, size: float, text: str) -> tuple["Image", int, int]:
    """A drawn word as a mask (PIL, mode L), and where it goes from the left end of its baseline: right, down, px.

    Drawing a page word by word from remembered masks takes a third of the time of drawing its lines.
    """
    from PIL import Image

    core, (left, top) = font(name, size).getmask2(text, "L", anchor="ls")
    mask = Image.new("L", core.size)
    mask.im.paste(core, (0, 0, *core.size))
    return mask, left, top


@cache
def _font(name: str, half_pixels: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(str(font_file(name)), half_pixels / 2, layout_engine=ImageFont.Layout.BASIC)


def company(rng: np.random.Generator) -> str:
    """An invented firm: two words."""
    first, second = rng.choice(len(NAMES), 2, replace=False)
    return f"{NAMES[first]} {NAMES[second]}"


def person(rng: np.random.Generator) -> str:
    """An invented person: first and family name."""
    return f"{PEOPLE[rng.integers(len(PEOPLE))]} {FAMILY[rng.integers(len(FAMILY))]}"


def sentence_words(rng: np.random.Generator, count: int, *, cyrillic: bool = False) -> list[str]:
    """`count` words of legal prose with capitals and full stops; it means nothing."""
    source = CYRILLIC if cyrillic else WORDS
    words = [source[k] for k in rng.integers(len(source), size=count).tolist()]
    ends = (rng.random(count) < 0.07).tolist()
    start = True
    for k, end in enumerate(ends):
        if start:
            words[k] = words[k][:1].upper() + words[k][1:]
        start = end or k == count - 1
        if start:
            words[k] += "."
        elif k % 9 == 5:
            words[k] += ","
    return words
