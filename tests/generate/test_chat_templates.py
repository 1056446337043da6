"""Chat templates: ours are data and say the same as Jinja text; foreign ones run in the sandbox only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from osnowa import files
from osnowa.errors import DataError
from osnowa.exchange.chat import read_chat, write_chat
from osnowa.generate.chat import PLAIN, ChatTemplate, Message
from osnowa.generate.foreign_template import ForeignTemplate
from osnowa.runs.conversation import Conversation
from osnowa.runs.model import load
from talking import publish_talker, talker

TURNS = [Message("user", 'Cześć, "kocie"!\n{{ 7 * 7 }}'), Message("assistant", "Miau 😀 \\n"), Message("user", "Kto?")]
MARKED = ChatTemplate(
    system=("<|system|>\n", "</s>\n"), user=("<|ty|> 😀 ", "\\\n"), assistant=("<|kot|>", "</s>\n"), stop=("<|ty|>",)
)


def test_the_plain_template_is_a_transcript_that_the_assistant_goes_on_with() -> None:
    assert PLAIN.render(
        [Message("system", "Koty."), Message("user", "Kto?"), Message("assistant", "Ja."), TURNS[2]]
    ) == ("Koty.\n\nuser: Kto?\nassistant: Ja.\nuser: Kto?\nassistant:")


@pytest.mark.parametrize("template", [PLAIN, MARKED], ids=["plain", "marked"])
def test_other_tools_render_the_jinja_text_to_the_same(template: ChatTemplate) -> None:
    turns = [{"role": each.role, "content": each.content} for each in TURNS]
    for system in ([], [{"role": "system", "content": "Bądź miły."}]):
        (theirs,), _ = render_jinja_template(
            [[*system, *turns]], chat_template=template.to_jinja(), add_generation_prompt=True
        )
        ours = template.render([*(Message("system", each["content"]) for each in system), *TURNS])
        assert theirs == ours


def test_a_written_template_is_read_back_and_both_files_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with files.publish(folder, {"kind": "model"}) as work:
        write_chat(work, MARKED)
    assert read_chat(folder, talker()[1]) == MARKED
    assert (folder / "chat_template.jinja").read_text(encoding="utf-8") == MARKED.to_jinja()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "holds no template"),
        ('{"user": ["a"]}', "user"),
        ('{"usr": ["a", "b"]}', "did you mean"),
        ('{"stop": [""]}', "stop"),
    ],
)
def test_a_broken_template_file_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "chat_template.json").write_text(content)
    with pytest.raises(DataError, match=says):
        read_chat(tmp_path, talker()[1])


def test_a_foreign_template_is_found_in_both_of_its_places(tmp_path: Path) -> None:
    tokenizer = talker()[1]
    assert read_chat(tmp_path, tokenizer) is None
    source = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] | trim }}\n{% endfor %}[assistant]"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": source}))
    found = read_chat(tmp_path, tokenizer)
    assert found is not None
    assert found.render([Message("user", " Kto? ")]) == "<s>[user] Kto?\n[assistant]"
    (tmp_path / "chat_template.jinja").write_text("new")
    found = read_chat(tmp_path, tokenizer)
    assert found is not None
    assert found.render([]) == "new"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='x') }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{% for i in range(99999999) %}{{ i }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{% include 'x' %}",
        "{{ 1 / 0 }}",
        "{{ nothing.at.all }}",
        "{% if %}",
    ],
)
def test_what_a_template_must_not_do_is_one_error(source: str) -> None:
    turns = [Message("user", "Kto?")]
    with pytest.raises(DataError, match="the chat template fails"):
        ForeignTemplate(source, "x.jinja").render(turns)
    assert turns == [Message("user", "Kto?")]


# --- conversations -------------------------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path: Path) -> Conversation:
    return Conversation(load(publish_talker(tmp_path / "model")), max_tokens=6, temperature=0)


def whole(held: Conversation, text: str) -> str:
    return "".join(held.say(text))


def test_each_turn_is_shown_what_was_said_before(held: Conversation) -> None:
    first = whole(held, "Kto?")
    assert [each.role for each in held.messages] == ["user", "assistant"]
    assert held.messages[1].content == first.strip()
    again = Conversation(held.model, max_tokens=6, temperature=0)
    assert whole(again, "Kto?") == first
    fresh = Conversation(held.model, max_tokens=6, temperature=0)
    assert whole(held, "Co?") != whole(fresh, "Co?")


def test_the_oldest_turns_go_when_positions_run_out(held: Conversation) -> None:
    assert held.left_out == 0
    for number in range(8):
        whole(held, f"Kot {number}?")
        shown = held._frame(held.messages[held.left_out :])
        assert len(shown) <= 64 + 20
    assert held.left_out > 0
    assert held.left_out % 2 == 0
    assert len(held.messages) == 16


def test_a_text_that_is_too_long_or_an_order_changes_nothing(held: Conversation) -> None:
    whole(held, "Kto?")
    before = list(held.messages)
    with pytest.raises(DataError, match="tokens, this model takes 64"):
        whole(held, "kot " * 80)
    with pytest.raises(DataError, match="the special token </s>"):
        whole(held, "a </s> b")
    assert held.messages == before
    assert whole(held, "Co?")


def test_the_stop_texts_of_a_template_end_an_answer(tmp_path: Path) -> None:
    model = load(publish_talker(tmp_path / "model"))
    free = whole(Conversation(model, max_tokens=12, temperature=0), "Kto?")
    own = PLAIN.changed(stop=(free[3:5],)).model_dump()
    (tmp_path / "model" / "chat_template.json").write_text(json.dumps(own))
    assert whole(Conversation(model, max_tokens=12, temperature=0), "Kto?") == free[: free.index(free[3:5])]
