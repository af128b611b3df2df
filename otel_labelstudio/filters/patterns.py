"""Regular expressions for `redact`: personal data and secrets, as far as their form tells them from ordinary text.

Kept apart because they take time to compile, which only who redacts by them should pay.
"""

from __future__ import annotations

import re

# Before the first character of a number or word; \n and the like stand in JSON that is text inside of a call
_START = r"(?:(?<![\w.-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
# Behind the last one; an id goes on
_END = r"\b(?!-\w)"
# Between groups of digits: also a space or hyphen that does not break, and both as JSON escapes them
_SPACE, _HYPHEN = r"[ \xa0\u202f]|\\u(?:00a0|202f)", r"[-\u2010\u2011]|\\u201[01]"
_SEPARATOR = rf"(?:{_SPACE}|{_HYPHEN}|[./])"
# A letter that is not of ASCII, as JSON escapes it
_ESCAPED_LETTER = r"\\u00[c-fC-F][0-9a-fA-F]"

EMAIL_ADDRESS = re.compile(
    r"(?:(?<![\w.%+'-])(?!(?<=\\)(?:[nrtbf]|u[0-9a-fA-F]{4}))|(?<=\\[nrtbf])"
    rf"|(?<=\\u[0-9a-fA-F]{{4}})(?<!{_ESCAPED_LETTER}))"
    rf"(?:[\w.%+'-]|{_ESCAPED_LETTER})+(?:@|%40|\\u0040)(?:(?:[\w-]|{_ESCAPED_LETTER})+\.)+[^\W\d_]{{2,}}"
)
PHONE_NUMBER = re.compile(
    rf"{_START}(?:"
    # +49 (0)170 1234567, 0049 170 1234567
    rf"(?:\+|00)[1-9]\d{{0,2}}{_SEPARATOR}?(?:\(\d{{1,5}}\))?(?:{_SEPARATOR}?\d){{5,}}"
    # (555) 123-4567, 1-800-555-1234
    rf"|(?:1{_SEPARATOR})?(?:\(\d{{3}}\) ?|\d{{3}}{_SEPARATOR})\d{{3}}{_SEPARATOR}\d{{4}}"
    # 0171 2345678, (020) 7946 0958
    rf"|(?:0\d{{1,4}}(?:{_SPACE}|{_HYPHEN})|0\d{{2,4}}/|\(0\d{{1,4}}\)(?:{_SPACE})?)"
    rf"\d{{3}}(?:(?:{_SPACE}|{_HYPHEN})?\d){{2,}}"
    # 06 12 34 56 78, but not in a longer row
    rf"|(?<!\d[ .\xa0-])0[1-9](?:{_SEPARATOR}\d\d){{4}}(?!{_SEPARATOR}?\d)"
    # Mobile telephones of Germany, the United Kingdom and France without any separator
    r"|0(?:1[5-7]\d{8,9}|7\d{9}|[67]\d{8})"
    rf"){_END}"
)
# How long an IBAN is in each country of the registry (ISO 13616)
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KW KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_GROUP_SEPARATOR = rf"(?:{_SPACE}|{_HYPHEN}|\.)?"


def _iban(length: int, countries: str) -> str:
    groups, rest = divmod(length - 4, 4)
    ending = rf"{_GROUP_SEPARATOR}[A-Z0-9]{{{rest}}}" if rest else ""
    return rf"(?:{countries.replace(' ', '|')})\d\d(?:{_GROUP_SEPARATOR}[A-Z0-9]{{4}}){{{groups}}}{ending}"


IBAN = re.compile(rf"{_START}(?:{'|'.join(_iban(*countries) for countries in _IBAN_COUNTRIES.items())}){_END}")
PAYMENT_CARD_NUMBER = re.compile(
    rf"(?:{_START}|(?<=(?i:card)))(?:"
    rf"(?:4\d{{3}}|5[1-5]\d\d|2[2-7]\d\d|35\d\d|6(?:011|5\d\d))(?:{_GROUP_SEPARATOR}\d{{4}}){{3}}"
    rf"|6[27]\d\d(?:{_GROUP_SEPARATOR}\d{{4}}){{3}}(?:{_GROUP_SEPARATOR}\d{{3}})?"
    rf"|3[47]\d\d{_GROUP_SEPARATOR}\d{{6}}{_GROUP_SEPARATOR}\d{{5}}){_END}"
)
US_SOCIAL_SECURITY_NUMBER = re.compile(rf"{_START}\d{{3}}-\d{{2}}-\d{{4}}\b")
IPV4_ADDRESS = re.compile(rf"{_START}(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
# Keys by their vendors' prefixes, JSON Web Tokens, credentials of an HTTP header, private keys
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]*-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)*"
    rf"|{_START}(?:(?:sk|pk|rk)[-_][\w-]{{16,}}|gh[pousr]_\w{{20,}}|github_pat_\w{{20,}}|glpat-[\w-]{{16,}}"
    r"|xox[abeprs]-[\w-]{10,}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}|(?:hf|npm)_\w{20,}|ya29\.[\w-]{20,})"
    r"|\b(?:Bearer|Basic) [\w.~+/-]{16,}=*"
)

# An IBAN or a card's number may look like a telephone number inside of it
PERSONAL_DATA = (IBAN, PAYMENT_CARD_NUMBER, US_SOCIAL_SECURITY_NUMBER, PHONE_NUMBER, EMAIL_ADDRESS)
