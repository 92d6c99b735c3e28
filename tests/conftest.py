"""Settings of hypothesis: `pytest --hypothesis-profile=thorough` looks twenty times as long."""

from hypothesis import settings

# No test measures time: on a busy machine a single example may take long.
settings.register_profile("banlistd", deadline=None)
settings.register_profile("thorough", settings.get_profile("banlistd"), max_examples=2000)
settings.load_profile("banlistd")
