"""The openai SDK where a budget ends: a stream that stops in the middle, and a request that is refused once."""

import os

import openai

client = openai.OpenAI(base_url=os.environ["GATEWAY"], api_key="sk-budget-sdk")
MESSAGES = [{"role": "user", "content": "Hello, you."}]


def create(**options):
    return client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=100_000, **options)


said = []
try:
    for chunk in create(stream=True):
        said.append(chunk.choices[0].delta.content or "")
except openai.APIError as error:
    stopped = error
else:
    raise AssertionError("the stream was not stopped")
# Not a broken connection: an error that the SDK reads, after text that the user has.
assert type(stopped) is openai.APIError, repr(stopped)
assert stopped.code == "budget_exceeded" and stopped.type == "budget_exceeded", stopped.body
assert len("".join(said)) > 2000, said

for options in ({}, {"stream": True}):
    try:
        create(**options)
    except openai.APIStatusError as error:
        assert error.status_code == 402 and error.code == "budget_exceeded", error
        assert error.response.request.headers.get("x-stainless-retry-count") == "0", error.request.headers
        assert error.response.headers["x-kt-budget-reset"] in error.message, error.message
        assert int(error.response.headers["retry-after"]) > 0, error.response.headers
    else:
        raise AssertionError("a request went on without a budget")
