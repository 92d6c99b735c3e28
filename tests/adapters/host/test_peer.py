from banlistd.adapters.host.peer import user_name


def test_a_user_has_a_name_and_a_number_without_one_is_shown() -> None:
    assert user_name(0) == "root"
    assert user_name(4_000_000_001) == "user 4000000001"
    assert user_name(2**40) == f"user {2**40}"
