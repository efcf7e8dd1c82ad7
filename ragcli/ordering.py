"""Text keys that sort like the numbers and dates they stand for, of any size and time zone."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from math import isfinite

_ZERO_EXPONENT = 5_000  # added to an exponent, so that none is negative
_MAX_DIGITS = 1_000
_MAX_LITERAL = 2_000
_LARGE = 10**18
_NINES = str.maketrans("0123456789", "9876543210")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_YEAR, _MONTH, _DAY, _MOMENT = "ymdt"
_ISO_8601 = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)"
    r"(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?[ ]?(Z|z|[+-]\d\d(?::?\d\d)?)?)?)?)?",
    re.ASCII,
)
_LONGEST_DATE = 64


def number_key(value: float) -> str | None:
    """Return the key of a JSON number, exact for whole numbers of any size; None for NaN and infinity."""
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return _decimal_key(Decimal(repr(value)))
    if -_LARGE < value < _LARGE:
        return _key(value < 0, str(abs(value)), 0)  # in a third of the time
    return _decimal_key(Decimal(value))


def number_keys(literal: str) -> list[str]:
    """Return the keys of the number that a text contains, the exact one first; none if it is not a number.

    A fraction is rounded to a double, as in the document. A whole number that does not fit into 64 bits was read from
    the document either exactly or as a double, so it has two keys.
    """
    literal = literal.strip()
    if len(literal) > _MAX_LITERAL or not _NUMBER.fullmatch(literal):
        return []
    try:
        number = Decimal(literal)
        rounded = float(number)
    except (InvalidOperation, OverflowError):
        return []
    whole = number == number.to_integral_value() if number.adjusted() < _MAX_DIGITS else True
    keys = [_decimal_key(number)] if whole or not isfinite(rounded) else []
    if isfinite(rounded) and not (whole and -(2**63) <= number < 2**64):
        keys.append(_decimal_key(Decimal(repr(rounded))))
    return list(dict.fromkeys(keys))


def _decimal_key(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 (neither NaN nor infinity)
    return _key(bool(sign), "".join(map(str, digits)).lstrip("0"), exponent)


def _key(negative: bool, written: str, exponent: int) -> str:
    """Write sign, exponent and digits so that the texts sort like the numbers; for a negative one all are inverted."""
    if written in ("", "0"):
        return "1"
    size = min(max(exponent + len(written) + _ZERO_EXPONENT, 0), 2 * _ZERO_EXPONENT - 1)
    key = f"{size:04d}{written[:_MAX_DIGITS].rstrip('0')}"
    return f"0{key.translate(_NINES)}~" if negative else f"2{key}"


def date_key(text: str) -> str | None:
    """Return the key of an ISO 8601 date (also year and month, or year alone) or date-time; None for other texts.

    The key is the first moment in UTC, to nanoseconds, and a letter for the precision: year, month, day or moment. A
    date-time without a zone is in UTC.
    """
    if not text[:4].isdigit() or len(text) > _LONGEST_DATE or not (match := _ISO_8601.fullmatch(text.strip())):
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    leap = second == "60"
    try:
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            59 if leap else int(second or 0),
        )
        moment = moment.replace(tzinfo=_zone(zone)).astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None
    written = _MOMENT if hour else _DAY if day else _MONTH if month else _YEAR
    return f"{moment:%Y%m%d%H%M%S}".rjust(14, "0") + (fraction or "").ljust(9, "0") + written


def _zone(written: str | None) -> timezone:
    if not written or written in "Zz":
        return UTC
    offset = timedelta(hours=int(written[1:3]), minutes=int(written[3:].lstrip(":") or 0))
    return timezone(-offset if written[0] == "-" else offset)


def date_span(key: str) -> tuple[str, str]:
    """Return the bounds of the keys of all dates within a key's year, month or day, or at its moment."""
    first, written = key[:-1], key[-1]
    if written == _MOMENT:
        return first, f"{first}~"
    year, month, day = int(key[:4]), int(key[4:6]), int(key[6:8])
    try:
        if written == _DAY:
            after = datetime(year, month, day) + timedelta(days=1)
        else:
            after = datetime(year + 1, 1, 1) if written == _YEAR or month == 12 else datetime(year, month + 1, 1)
    except (ValueError, OverflowError):
        return first, f"{first[:4]}~"  # the last of all years
    return first, f"{after.year:04d}{after.month:02d}{after.day:02d}{'0' * 15}"


def is_moment(key: str) -> bool:
    """Return whether a date key stands for a moment, not for a day, month or year."""
    return key.endswith(_MOMENT)
