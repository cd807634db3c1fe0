"""The router workflow of Together's documentation, unchanged; its two helpers in the form the workflow needs them."""

import json

import together

client = together.Together()


def run_llm(user_prompt: str, model: str):
    messages = [{"role": "user", "content": user_prompt}]
    response = client.chat.completions.create(model=model, messages=messages, temperature=0.7, max_tokens=4000)
    return response.choices[0].message.content


def JSON_llm(user_prompt: str, schema):
    extract = client.chat.completions.create(
        messages=[{"role": "user", "content": user_prompt}],
        model="meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
        response_format={"type": "json_object", "schema": schema.model_json_schema()},
    )
    return json.loads(extract.choices[0].message.content)


# From here to the end of the function: as printed.
from pydantic import BaseModel, Field
from typing import Literal, Dict


def router_workflow(input_query: str, routes: Dict[str, str]) -> str:
    """Given a `input_query` and a dictionary of `routes` containing options and details for each.
    Selects the best model for the task and return the response from the model.
    """
    ROUTER_PROMPT = """Given a user prompt/query: {user_query}, select the best option out of the following routes:
      {routes}. Answer only in JSON format."""

    # Create a schema from the routes dictionary

    class Schema(BaseModel):
        route: Literal[tuple(routes.keys())]

        reason: str = Field(
            description="Short one-liner explanation why this route was selected for the task in the prompt/query."
        )

    # Call LLM to select route

    selected_route = JSON_llm(
        ROUTER_PROMPT.format(user_query=input_query, routes=routes), Schema
    )
    print(
        f"Selected route:{selected_route['route']}\nReason: {selected_route['reason']}\n"
    )

    # Use LLM on selected route.

    # Could also have different prompts that need to be used for each route.

    response = run_llm(user_prompt=input_query, model=selected_route["route"])
    print(f"Response: {response}\n")

    return response


routes = {
    "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8": "Best model choice for code generation tasks.",
    "Gryphe/MythoMax-L2-13b": "Best model choice for story-telling, role-playing and fantasy tasks.",
    "Qwen/Qwen3-Next-80B-A3B-Thinking": "Best model for reasoning, planning and multi-step tasks",
}
question = "Produce python snippet to check to see if a number is prime or not."
assert router_workflow(question, routes) == f"You said: {question}"
