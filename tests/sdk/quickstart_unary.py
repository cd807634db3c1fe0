from openai import OpenAI

client = OpenAI(
    base_url="http://localhost:8080/v1",
    api_key="unused", # auth is handled by Keeptrusts via TOGETHER_API_KEY
)

response = client.chat.completions.create(
    model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
    messages=[
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Explain the CAP theorem in distributed systems."},
    ],
    temperature=0.7,
    max_tokens=512,
)

print(response.choices[0].message.content)
