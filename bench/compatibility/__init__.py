"""Whether clients that know nothing of us work against a running gateway: `python -m bench.compatibility`.

The official openai clients for Python (sync and async) and Node, and curl, each with whole answers, streams,
tools and JSON schemas, against the sandbox, a provider that speaks OpenAI's API and one that speaks
Anthropic's. The Node client comes from a folder that is given: `npm install openai` somewhere, then
`python -m bench.compatibility <that folder>`; without it Node is left out and the table says so.
"""
