"""The printed part of a drawn page: letterhead, headings, paragraphs, tables, signature lines, footer, lookalikes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.sample.lettering import (
    COMPANY_KINDS,
    FAMILIES,
    HEADINGS,
    PLACES,
    TITLES,
    company,
    font,
    length,
    person,
    sentence_words,
    word_mask,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw as Draw

    from assay.sample.pdf_paper import PdfPaper

Ink = tuple[int, int, int]
SIGNERS = ("For the company:", "The Seller", "Director", "Fait à Lyon", "Customer", "Signed by")


@dataclass
class Printed:
    """A printed page and where its marks would go."""

    picture: "Image"
    sign_here: list[tuple[float, float]] = field(default_factory=list)  # left ends of signature lines, px
    blank_from: float = 0.0  # below this row the page is empty, px


class Typesetter:
    """Fills one page from top to bottom; `unit` is the size of a letter of running text, px.

    It draws on a picture, or on the page of a PDF where there is `paper`: the same page from the same `rng`.
    """

    def __init__(
        self, rng: np.random.Generator, size: tuple[int, int], paper: "PdfPaper | None" = None
    ) -> None:
        from PIL import Image, ImageDraw

        self.rng = rng
        self.width, self.height = size
        self.family = FAMILIES[rng.integers(len(FAMILIES))]
        self.cyrillic = self.family != "serif" and rng.random() < 0.25  # STIX has no Cyrillic bold
        self.cyrillic = self.cyrillic and paper is None  # nor have the fonts every PDF reader brings along
        scale = {"serif": 1.12, "book": 0.92, "sans": 0.9, "mono": 0.86}[self.family]
        self.unit = max(self.height / 1024 * rng.uniform(10.5, 15) * scale, 5)
        self.left = self.width * rng.uniform(0.07, 0.14)
        self.right = self.width * (1 - rng.uniform(0.07, 0.14))
        self.y = self.height * rng.uniform(0.04, 0.1)
        self.bottom = self.height * rng.uniform(0.88, 0.93)
        self.leading = self.unit * rng.uniform(1.2, 1.6)
        shade = int(rng.integers(0, 70))
        self.ink: Ink = (shade, shade, shade)
        self.justify = rng.random() < 0.45
        self.number = 0
        self.page = Printed(Image.new("RGB", size, (255, 255, 255)))
        self.paper = paper
        self.draw: Draw | PdfPaper = paper or ImageDraw.Draw(self.page.picture)

    def finish(self) -> Printed:
        """Set the page: a letterhead or title, blocks of text until it is as full as wanted, the footer."""
        rng = self.rng
        if rng.random() < 0.5:
            self.letterhead()
        if rng.random() < 0.6:
            self.title()
        until = self.y + (self.bottom - self.y) * rng.uniform(0.3, 1.0)
        signed = rng.random() < 0.75
        if signed:
            until = min(until, self.bottom - 9 * self.leading)
        while self.y < until - 2 * self.leading:
            kind = rng.random()
            if kind < 0.62:
                self.paragraph(int(rng.integers(2, 8)), until)
            elif kind < 0.8:
                self.heading()
            elif kind < 0.9:
                self.bullets(until)
            else:
                self.table(until)
            self.y += self.leading * rng.uniform(0.2, 1.0)
        if signed:
            self.signature_block()
        self.page.blank_from = self.y
        self.footer()
        return self.page

    def line(
        self,
        text: str,
        x: float,
        *,
        style: str = "",
        size: float = 1.0,
        ink: Ink | None = None,
        anchor: str = "ls",
    ) -> None:
        """One line of text on the baseline at the current row."""
        face = font(self.family + style, self.unit * size)
        self.draw.text((x, self.y), text, ink or self.ink, face, anchor=anchor)

    def letterhead(self) -> None:
        """A logo, the firm's name and address, often a rule below."""
        rng = self.rng
        name = f"{company(rng)} {COMPANY_KINDS[rng.integers(len(COMPANY_KINDS))]}"
        red, green, blue = rng.integers(0, 190, 3).tolist()
        colour = (red, green, blue) if rng.random() < 0.6 else self.ink
        top, x = self.y, self.left
        if rng.random() < 0.65:
            side = self.unit * rng.uniform(3, 5)
            logo(rng, self.draw, (x, top, x + side, top + side), colour)
            x += side * 1.25
        self.y = top + 1.4 * self.unit
        self.line(name, x, style="-bold", size=1.4, ink=colour)
        for _ in range(int(rng.integers(1, 4))):
            self.y += self.unit * 1.1
            street = f"{rng.integers(1, 220)} {sentence_words(rng, 1)[0]} Street, {PLACES[rng.integers(len(PLACES))]}"
            self.line(f"{street}, tel. {rng.integers(100, 999)} {rng.integers(1000, 9999)}", x, size=0.75)
        self.y += self.unit * 1.2
        if rng.random() < 0.6:
            self.draw.line(
                (self.left, self.y, self.right, self.y), fill=colour, width=max(1, int(self.unit / 7))
            )
        self.y += self.leading * 1.3

    def title(self) -> None:
        """A centred title, perhaps with place and date below."""
        self.y += self.leading
        middle = (self.left + self.right) / 2
        text = TITLES[self.rng.integers(len(TITLES))]
        bold = font(self.family.replace("serif", "book") + "-bold", self.unit * self.rng.uniform(1.3, 1.9))
        self.draw.text((middle, self.y), text, self.ink, bold, anchor="ms")
        self.y += self.leading * 1.4
        if self.rng.random() < 0.5:
            self.line(PLACES[self.rng.integers(len(PLACES))], self.left)
            date = f"{self.rng.integers(1, 29)}.{self.rng.integers(1, 13):02d}.20{self.rng.integers(10, 26)}"
            self.line(date, self.right, anchor="rs")
            self.y += self.leading * 1.5

    def heading(self) -> None:
        """A numbered heading: bold, centred, underlined or between two rules."""
        self.number += 1
        self.y += self.leading * 0.8
        sign = ("Article ", "§ ", "")[self.number % 3 if self.rng.random() < 0.3 else 2]
        text = f"{sign}{self.number}. {HEADINGS[self.rng.integers(len(HEADINGS))]}"
        centred = self.rng.random() < 0.3
        x, anchor = ((self.left + self.right) / 2, "ms") if centred else (self.left, "ls")
        self.line(text, x, style="-bold", size=1.1, anchor=anchor)
        if self.rng.random() < 0.25:
            wide = length(self.family + "-bold", self.unit * 1.1, text)
            start = x - wide / 2 if centred else x
            self.draw.line((start, self.y + 2, start + wide, self.y + 2), fill=self.ink)
        elif self.rng.random() < 0.1:
            for y in (self.y - 1.3 * self.unit, self.y + 0.5 * self.unit):
                self.draw.line((self.left, y, self.right, y), fill=self.ink, width=max(1, int(self.unit / 9)))
        self.y += self.leading

    def paragraph(
        self, lines: int, until: float, *, left: float | None = None, right: float | None = None
    ) -> None:
        """Lines of prose, ragged or justified."""
        left, right = left or self.left, right or self.right
        face = font(self.family, self.unit)
        words = iter(sentence_words(self.rng, lines * 24, cyrillic=self.cyrillic))
        word = next(words)
        for k in range(lines):
            if self.y > until:
                return
            room, row = (right - left) * (self.rng.uniform(0.25, 0.95) if k == lines - 1 else 1), []
            space = face.getlength(" ")
            used = -space
            while used + (wide := length(self.family, self.unit, word)) + space <= room:
                row.append((word, wide))
                used += wide + space
                word = next(words, "")
                if not word:
                    break
            gap, x = space, left
            if self.justify and k < lines - 1 and len(row) > 3:
                gap = space + (room - used) / (len(row) - 1)
            for text, wide in row:
                if self.paper:
                    self.paper.text((x, self.y), text, self.ink, face, anchor="ls")
                else:
                    mask, across, down = word_mask(self.family, self.unit, text)
                    self.page.picture.paste(self.ink, (round(x) + across, round(self.y) + down), mask)
                x += wide + gap
            self.y += self.leading
            if not word:
                return

    def bullets(self, until: float) -> None:
        """A list."""
        indent = self.left + 2.5 * self.unit
        sign = ("•", "-", "*")[self.rng.integers(3)]
        for _ in range(int(self.rng.integers(2, 5))):
            if self.y > until:
                return
            self.line(sign, self.left + self.unit)
            self.paragraph(int(self.rng.integers(1, 3)), until, left=indent)

    def table(self, until: float) -> None:
        """A grid of words and amounts."""
        columns, rows = int(self.rng.integers(2, 6)), int(self.rng.integers(3, 9))
        edges = np.linspace(self.left, self.right, columns + 1)
        if columns > 2:
            edges[1:-1] += self.rng.uniform(-0.3, 0.3, columns - 1) * (edges[1] - edges[0])
        top, step = self.y - self.unit, self.leading * 1.25
        rows = min(rows, int((until - top) / step))
        if rows < 2:
            return
        ruled = self.rng.random() < 0.75
        if self.rng.random() < 0.3:
            self.draw.rectangle((self.left, top, self.right, top + step), fill=(225, 225, 230))
        self.y = top + step * 0.7
        for row in range(rows):
            for column in range(columns):
                number = column and row and self.rng.random() < 0.75
                text = " ".join(sentence_words(self.rng, 2)).strip(".")
                if number:
                    text = f"{self.rng.integers(1, 99999) / 100:.2f}"
                room = int((edges[column + 1] - edges[column]) / (0.62 * self.unit))
                self.line(
                    text[:room], edges[column] + 0.5 * self.unit, style="-bold" if row == 0 else "", size=0.9
                )
            self.y += step
        if ruled:
            for row in range(rows + 1):
                self.draw.line((self.left, top + row * step, self.right, top + row * step), fill=self.ink)
            for edge in edges:
                self.draw.line((edge, top, edge, top + rows * step), fill=self.ink)
        self.y = top + (rows + 0.9) * step

    def signature_block(self) -> None:
        """One or two places to sign, with a line, a name, sometimes bank details or 'L.S.'."""
        columns = int(self.rng.integers(1, 3))
        top = self.y + self.leading
        deepest = top
        for column in range(columns):
            self.y = top
            x = self.left + (self.right - self.left) * (
                0.55 * column if columns == 2 else self.rng.choice([0, 0.5])
            )
            self.line(SIGNERS[self.rng.integers(len(SIGNERS))], x, style="-bold")
            for _ in range(int(self.rng.integers(0, 3))):
                self.y += self.leading
                self.line(f"{sentence_words(self.rng, 1)[0]} {self.rng.integers(10**6, 10**9)}", x, size=0.85)
            self.y += self.leading * self.rng.uniform(2.5, 4.5)
            line = (self.right - self.left) * self.rng.uniform(0.22, 0.36)
            if self.rng.random() < 0.75:
                self.draw.line((x, self.y, x + line, self.y), fill=self.ink)
            self.page.sign_here.append((x, self.y))
            self.y += self.unit * 1.3
            self.line(
                person(self.rng) if self.rng.random() < 0.7 else "(signature)", x + self.unit, size=0.85
            )
            deepest = max(deepest, self.y)
        self.y = deepest + self.leading

    def footer(self) -> None:
        """A page number, plain, of a total or in a box; now and then a barcode or a line of small print."""
        rng = self.rng
        self.y = self.height * rng.uniform(0.955, 0.98)
        number = str(rng.integers(1, 60))
        text = (number, f"{number} / {rng.integers(60, 90)}", f"- {number} -", f"Page {number}")[
            rng.integers(4)
        ]
        x = (self.left, (self.left + self.right) / 2, self.right)[rng.integers(3)]
        kind = rng.random()
        if kind < 0.75:
            self.line(text, x, size=0.9, anchor="ms")
            if kind < 0.2:
                half = length(self.family, self.unit * 0.9, text) / 2 + 0.6 * self.unit
                box = (x - half, self.y - 1.3 * self.unit, x + half, self.y + 0.6 * self.unit)
                self.draw.rectangle(box, outline=self.ink)
        if rng.random() < 0.2:
            y = self.y - 1.8 * self.unit
            self.draw.line((self.left, y, self.right, y), fill=self.ink)
        if rng.random() < 0.14:
            size = (self.unit * rng.uniform(7, 12), 2.6 * self.unit)
            barcode(rng, self.draw, (self.left, self.y - 3 * self.unit), size)


def logo(
    rng: np.random.Generator, draw: "Draw | PdfPaper", box: tuple[float, float, float, float], colour: Ink
) -> None:
    """A printed emblem: a lookalike of a stamp, flat and unturned."""
    x1, y1, x2, y2 = box
    middle, side = ((x1 + x2) / 2, (y1 + y2) / 2), x2 - x1
    kind = int(rng.integers(5))
    if kind == 0:
        draw.ellipse(box, fill=colour)
    elif kind == 1:
        draw.rectangle(box, fill=colour)
    elif kind == 2:
        draw.polygon([(x1, y2), (middle[0], y1), (x2, y2)], fill=colour)
    elif kind == 3:
        for k in range(3):
            draw.rectangle(
                (x1 + k * side / 3, y2 - (k + 1) * side / 3, x1 + (k + 0.8) * side / 3, y2), fill=colour
            )
        return
    else:
        draw.ellipse(box, outline=colour, width=max(2, int(side / 9)))
    letter = "NHMLJOCA"[rng.integers(8)]
    draw.text(
        middle, letter, colour if kind == 4 else (255, 255, 255), font("sans-bold", side * 0.5), anchor="mm"
    )


def barcode(
    rng: np.random.Generator, draw: "Draw | PdfPaper", at: tuple[float, float], size: tuple[float, float]
) -> None:
    """Upright bars: a lookalike of a QR code."""
    x, end = at[0], at[0] + size[0]
    module = max(1.0, size[0] / 90)
    while x < end:
        bar = module * int(rng.integers(1, 4))
        draw.rectangle((x, at[1], x + max(bar - 1, 0), at[1] + size[1]), fill=(0, 0, 0))
        x += bar + module * int(rng.integers(1, 4))
