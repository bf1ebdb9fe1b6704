"""Kinds of marks on documents, whatever a project calls its classes."""

KINDS = ("qr", "signature", "stamp")


def kind_of(label: str) -> str:
    """The kind of a class: of "qr_code", "signature_digital" or "notary_stamp" the word that is one; "" of none."""
    return next((word for word in label.split("_") if word in KINDS), "")
