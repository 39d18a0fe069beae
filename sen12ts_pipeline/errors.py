"""What can go wrong, by what is to be done about it.

==================== =================================================================
Rejected             data that cannot make a triplet: recorded, and the run goes on
Retryable            may pass later: the task tries again
BadProduct           a product is broken: quarantined with its reason, not tried again
EngineFailure        a program that works for us fails on this input: the task fails, not tried again
ConfigurationError   stop before work begins
==================== =================================================================
"""

from __future__ import annotations


class Sen12tsError(Exception):
    """Root of all errors this package raises on purpose."""


class Rejected(Sen12tsError):
    """Data that cannot make a triplet; not a failure.

    Parameters
    ----------
    rule : str
        Short name of the rule, for example ``"s1_invalid"``.
    subject : str
        Text form of what was refused: a tile, a pairing, a pass.
    detail : str
        What was found and what would have been allowed.
    """

    def __init__(self, rule: str, subject: str, detail: str) -> None:
        super().__init__(f"{subject}: refused by rule {rule}: {detail}")
        self.rule, self.subject, self.detail = rule, subject, detail

    def __reduce__(self) -> tuple[type[Rejected], tuple[str, str, str]]:
        return type(self), (self.rule, self.subject, self.detail)


class Retryable(Sen12tsError):
    """A condition that may pass: a full disk, a busy server."""


class BadProduct(Sen12tsError):
    """A product that cannot be used, whoever asks.

    Parameters
    ----------
    product : str
        Name of the product (or auxiliary file).
    member : str
        The file inside the product in which the fault lies; empty if it is the whole product.
    reason : str
        What is wrong and what was expected.
    """

    def __init__(self, product: str, member: str, reason: str) -> None:
        super().__init__(f"{product}{'/' + member if member else ''}: {reason}")
        self.product, self.member, self.reason = product, member, reason

    def __reduce__(self) -> tuple[type[BadProduct], tuple[str, str, str]]:
        return type(self), (self.product, self.member, self.reason)


class EngineFailure(Sen12tsError):
    """A program of others that fails, or leaves less than it should, and would do so again.

    Parameters
    ----------
    engine : str
        The program, for example ``gpt``.
    subject : str
        What it worked on.
    reason : str
        What it said, or what is missing, and where its log lies.
    """

    def __init__(self, engine: str, subject: str, reason: str) -> None:
        super().__init__(f"{engine} failed on {subject}: {reason}")
        self.engine, self.subject, self.reason = engine, subject, reason

    def __reduce__(self) -> tuple[type[EngineFailure], tuple[str, str, str]]:
        return type(self), (self.engine, self.subject, self.reason)


class ConfigurationError(Sen12tsError):
    """A wrong setting, found before work begins.

    Parameters
    ----------
    source : str
        File, environment variable or option that holds the value.
    key : str
        Dotted key inside it.
    rule : str
        What must hold.
    value : object
        What was got.
    """

    def __init__(self, source: str, key: str, rule: str, value: object) -> None:
        super().__init__(f"{source}: {key}: {rule}; got {value!r}")
        self.source, self.key, self.rule, self.value = source, key, rule, value

    def __reduce__(self) -> tuple[type[ConfigurationError], tuple[str, str, str, object]]:
        return type(self), (self.source, self.key, self.rule, self.value)
