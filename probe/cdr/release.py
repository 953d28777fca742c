"""Release causes: Q.850 numbers, SIP codes, the words of FreeSWITCH and Asterisk; which of them are no fault of the network."""

# ITU-T E.425: effective is what reached the far terminal: answered, user busy, ring no answer, terminal rejection or absence. By Q.850 and
# (RFC 3398) SIP. That a caller who hung up while it rang (16, 487) counts as ring no answer is our choice.
EFFECTIVE_Q850 = frozenset({16, 17, 18, 19, 20, 21})
EFFECTIVE_SIP = frozenset({480, 486, 487, 600, 603})
EFFECTIVE_WORDS = frozenset(
    {"NORMAL_CLEARING", "USER_BUSY", "NO_USER_RESPONSE", "NO_ANSWER", "SUBSCRIBER_ABSENT", "CALL_REJECTED", "ORIGINATOR_CANCEL",
     "NO ANSWER", "BUSY", "ANSWERED"}
)  # fmt: skip


def effective(cause: str) -> bool:
    """Tell whether an unanswered call with this cause reached the far terminal; a cause that is not known did not."""
    if cause.isdecimal() and len(cause) < 4:
        number = int(cause)
        return number in EFFECTIVE_Q850 if number < 128 else number in EFFECTIVE_SIP
    return cause in EFFECTIVE_WORDS
