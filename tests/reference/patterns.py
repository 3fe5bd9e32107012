"""OS_Regex, OS_Match and PCRE2 elements (spec: regex), through libpcre2 but without engine/pattern.

Text is held as latin-1 strings: one character is one byte.
"""

from __future__ import annotations

import ctypes
import ctypes.util

_lib = ctypes.CDLL(ctypes.util.find_library("pcre2-8") or "libpcre2-8.so.0")
_lib.pcre2_compile_8.restype = ctypes.c_void_p
_lib.pcre2_compile_8.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32,
                                 ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_size_t), ctypes.c_void_p]
_lib.pcre2_match_data_create_8.restype = ctypes.c_void_p
_lib.pcre2_match_8.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t,
                               ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p]
_lib.pcre2_get_ovector_pointer_8.restype = ctypes.POINTER(ctypes.c_size_t)
_lib.pcre2_get_ovector_pointer_8.argtypes = [ctypes.c_void_p]
_data = _lib.pcre2_match_data_create_8(256, None)

_CASELESS, _UTF, _NO_UTF_CHECK = 0x8, 0x80000, 0x40000000
_UNSET = ctypes.c_size_t(-1).value
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !\"#%&',/:;<=>@_`~-")

_ESCAPES = {"w": "[A-Za-z0-9@_-]", "W": "[^A-Za-z0-9@_-]", "d": "[0-9]", "D": "[^0-9]", "s": "[ ]", "S": "[^ ]",
            "p": "[()*+,\\-.:;<=>?\\[\\]!\"'#%&$|{}]", ".": "(?s:.)", "t": "\\t"}
_ESCAPES.update({c: "\\" + c for c in "$()\\|<[]{}"})


def lower(text: str) -> str:
    return "".join(c.lower() if c < "\x80" else c for c in text)


def is_utf8(text: str) -> bool:
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Pattern:
    """A compiled pattern; match() gives (end, captures) or None."""

    def __init__(self, language: str, text: str):
        self.text = text
        self.always = language == "match" and (text == "" or "" in text.split("|"))
        self.literal = self._literal(language)
        if self.always or self.literal:
            return
        if language == "regex":
            translated = os_regex_to_pcre2(text)
        elif language == "match":
            translated = "".join("\\" + c if c in ".[]{}+?*()\\" else c for c in text)
        else:
            translated = text
        assert translated
        self.bytes_code = self._compile(translated, _CASELESS)
        self.utf_code = None
        if language != "pcre2":
            self.utf_code = self._compile(translated, _CASELESS | _UTF | _NO_UTF_CHECK)

    def _literal(self, language: str):
        text = self.text
        start, end = text.startswith("^"), text.endswith("$")
        inner = text[1 if start else 0:len(text) - 1 if end and len(text) > (1 if start else 0) else None]
        end = end and len(text) > (1 if start else 0)
        harmless = not set(inner) & set("$|^") if language == "match" else set(inner) <= _PLAIN
        return (start, lower(inner), end) if harmless and (start or end) else None

    @staticmethod
    def _compile(text: str, options: int):
        raw = text.encode("latin-1")
        error, offset = ctypes.c_int(), ctypes.c_size_t()
        code = _lib.pcre2_compile_8(raw, len(raw), options, ctypes.byref(error), ctypes.byref(offset), None)
        if not code:
            raise ValueError(f"does not compile: {text!r}: error {error.value} at {offset.value}")
        return code

    def match(self, subject: str):
        if self.always:
            return 0, []
        if self.literal:
            start, text, end = self.literal
            low = lower(subject)
            if start and end:
                return (len(subject), []) if low == text else None
            if start:
                return (len(text), []) if low.startswith(text) else None
            return (len(subject), []) if low.endswith(text) else None
        code = self.utf_code if self.utf_code and is_utf8(subject) else self.bytes_code
        raw = subject.encode("latin-1")
        count = _lib.pcre2_match_8(code, raw, len(raw), 0, 0, _data, None)
        if count < 0:
            return None
        pairs = _lib.pcre2_get_ovector_pointer_8(_data)
        captures = [subject[pairs[2 * i]:pairs[2 * i + 1]] for i in range(1, count) if pairs[2 * i] != _UNSET]
        return pairs[1], captures[:64]


def os_regex_to_pcre2(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        c = text[at]
        if c == "\\":
            out += _ESCAPES[text[at + 1]]
            at += 1
        elif c in "+*":
            out += c + "?" if at >= 2 and text[at - 2] == "\\" else "\\" + c
        elif c == "$":
            out += "(?!\\n)$"
        elif c in ".[]{}?":
            out += "\\" + c
        else:
            out += c
        at += 1
    result, at = "", 0
    while at < len(out):
        result += out[at]
        if out[at] in "+*" and out[at + 1:at + 2] == "?" and (at == 0 or out[at - 1] != "\\"):
            rest = out[at + 2:].lstrip(")")
            if rest == "" or rest[0] in "|$":
                at += 1
        at += 1
    return result


def word_match(text: str, groups: str) -> bool:
    if text == "":
        return False
    low = lower(groups)
    return any(low.startswith(lower(piece[1:])) if piece.startswith("^") else lower(piece) in low
               for piece in text.split("|"))
