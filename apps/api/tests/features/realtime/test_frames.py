"""What a frame may look like: pure."""

import pytest

from memi.realtime.frames import MalformedFrame, read_command


class TestReadCommand:
    def test_data_and_id_may_be_left_out(self) -> None:
        command = read_command('{"type": "ping"}')
        assert (command.type, command.id, command.data) == ("ping", None, {})

    @pytest.mark.parametrize("text", ["", "{", "nope", '{"type": "ping"}}'])
    def test_what_is_not_json(self, text: str) -> None:
        with pytest.raises(MalformedFrame) as raised:
            read_command(text)
        assert raised.value.error.code == "malformed_json"

    def test_what_is_nested_without_end(self) -> None:
        with pytest.raises(MalformedFrame) as raised:
            read_command("[" * 60_000)
        assert raised.value.error.code == "json_too_deep"

    def test_everything_wrong_is_named(self) -> None:
        with pytest.raises(MalformedFrame) as raised:
            read_command('{"id": true, "data": [], "extra": 1}')
        errors = raised.value.error.errors  # pyright: ignore[reportAttributeAccessIssue]
        assert {(item.pointer, item.code) for item in errors} == {
            ("/type", "required"),
            ("/id", "wrong_type"),
            ("/data", "wrong_type"),
            ("/extra", "unknown_field"),
        }

    def test_the_id_survives_for_the_answer(self) -> None:
        with pytest.raises(MalformedFrame) as raised:
            read_command('{"id": "7", "type": 5}')
        assert raised.value.id == "7"
