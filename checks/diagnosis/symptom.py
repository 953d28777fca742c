"""What users say is wrong, in their words: each a symptom of a few causes."""

import re
from enum import StrEnum

import msgspec


class Symptom(StrEnum):
    """The users' words; shown by the messages `symptom.<value>`."""

    NO_CALLS = "no-calls"  # 打不通
    SOME_CALLS = "some-calls"  # 部分打不通
    ONE_WAY_AUDIO = "one-way-audio"  # 单通
    ECHO = "echo"  # 回音
    DROPS = "drops"  # 掉线
    BAD_QUALITY = "bad-quality"  # 音质差
    CANT_REGISTER = "cant-register"  # 注册不上
    SLOW = "slow"  # 慢
    WRONG_NUMBER = "wrong-number"  # 号码显示错误


CHINESE = {
    Symptom.NO_CALLS: ("打不通", "无法呼叫", "打不了电话"),
    Symptom.SOME_CALLS: ("部分打不通", "时通时不通", "接通率低"),
    Symptom.ONE_WAY_AUDIO: ("单通", "单向无声", "听不到对方"),
    Symptom.ECHO: ("回音", "回声"),
    Symptom.DROPS: ("掉线", "断线", "通话中断"),
    Symptom.BAD_QUALITY: ("音质差", "杂音", "断断续续"),
    Symptom.CANT_REGISTER: ("注册不上", "无法注册", "掉注册"),
    Symptom.SLOW: ("慢", "接续慢", "响应慢"),
    Symptom.WRONG_NUMBER: ("号码显示错误", "来显错误", "主叫号码不对"),
}
"""The words of the users' own papers and telephones for each; any of them may be typed."""

_BY_WORD = {word: symptom for symptom, words in CHINESE.items() for word in words}
_AFTER = re.compile(r"^(drops|掉线|断线|通话中断)(?:[-: ]*(?:after)?[-: ]*)(\d{1,5})\s*(?:s|秒)?$")


class Heard(msgspec.Struct, frozen=True):
    """One symptom as it was told; `after_s` is after how many seconds a call drops, None when that was not said."""

    symptom: Symptom
    after_s: int | None = None

    @property
    def word(self) -> str:
        """The word by which it is kept: "drops-after-30" says when."""
        return self.symptom.value if self.after_s is None else f"{self.symptom.value}-after-{self.after_s}"


def heard(text: str) -> Heard:
    """Return what a word means: "one-way-audio", "单通", "drops", "drops-after-30", "掉线30秒". ValueError when it is none of the words."""
    word = text.strip().lower()
    drops = _AFTER.match(word)
    if drops:
        return Heard(Symptom.DROPS, int(drops[2]))
    symptom = _BY_WORD.get(word)
    return Heard(symptom if symptom is not None else Symptom(word.replace("_", "-").replace(" ", "-")))
