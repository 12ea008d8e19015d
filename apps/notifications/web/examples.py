"""How a receiver checks that a message is ours, in a few languages; also in `docs/webhooks.md`."""

from dataclasses import dataclass
from typing import Final

_PYTHON: Final = """# pip install standardwebhooks
import os

from standardwebhooks import Webhook

webhook = Webhook(os.environ["WEBHOOK_SECRET"])


def receive(body: bytes, headers: dict[str, str]) -> None:
    event = webhook.verify(body, headers)  # raises WebhookVerificationError
    if event["type"] == "prompt.label.moved":
        label = event["data"]["object"]
        print(label["prompt"], label["label"], "->", label["version"])
"""
_NODE: Final = """// npm install standardwebhooks
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
    console.log(event.type, event.data.object);
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(3000);
"""
_SHELL: Final = """# body.json: the body, byte for byte. ID and TIMESTAMP: two of the headers.
KEY=$(printf %s "${WEBHOOK_SECRET#whsec_}" | base64 -d | xxd -p -c 256)
{ printf '%s.%s.' "$ID" "$TIMESTAMP"; cat body.json; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64
# One of the space-separated signatures in webhook-signature must be "v1," and this.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """One piece of code; `id` names it on a page."""

    id: str
    title: str
    text: str


def examples() -> list[Example]:
    """The pieces, the best first."""
    return [
        Example("python", "Python", _PYTHON),
        Example("node", "Node", _NODE),
        Example("shell", "openssl", _SHELL),
    ]
