// Checks with the official openai client for Node; prints one line of JSON for each.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.OPENAI_FOLDER, "package.json"));
const { default: OpenAI, toFile } = await import(pathToFileURL(require.resolve("openai")).href);

const client = new OpenAI({ baseURL: process.env.GATEWAY_URL + "/v1", apiKey: process.env.GATEWAY_TOKEN, maxRetries: 0 });
const waysOfModels = JSON.parse(process.env.GATEWAY_MODELS);
const parameters = {
  type: "object", properties: { place: { type: "string" } }, required: ["place"], additionalProperties: false,
};
const formOf = (field) => (
  { type: "object", properties: { [field]: { type: "string" } }, required: [field], additionalProperties: false }
);
const tool = { type: "function", function: { name: "weather", parameters } };
const flatTool = { type: "function", name: "weather", parameters, strict: true };
const messages = [{ role: "user", content: "How is the weather in Oslo?" }];

function demand(condition, words) {
  if (!condition) throw new Error(words);
}

async function check(name, work) {
  try {
    await work();
    console.log(JSON.stringify({ name, ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ name, ok: false, why: String(error).slice(0, 300) }));
  }
}

for (const models of waysOfModels) {
  await check(`chat, whole and streamed, ${models.name}`, async () => {
    const answer = await client.chat.completions.create({ model: models.talks, messages });
    demand(answer.choices[0].message.content, "no text");
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: models.talks, messages, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    demand(text, "no streamed text");
  });
  await check(`chat, streamed tools, ${models.name}`, async () => {
    const runner = client.chat.completions.stream({ model: models.calls, messages, tools: [tool], tool_choice: "required" });
    const answer = await runner.finalChatCompletion();
    demand(answer.choices[0].message.tool_calls[0].function.name === "weather", "no call");
  });
  await check(`chat, parse (JSON schema), ${models.name}`, async () => {
    const response_format = { type: "json_schema", json_schema: { name: "Named", strict: true, schema: formOf(models.field) } };
    const answer = await client.chat.completions.parse({ model: models.fills, messages, response_format });
    demand(models.field in JSON.parse(answer.choices[0].message.content), "no name");
  });
  await check(`responses, whole, ${models.name}`, async () => {
    const answer = await client.responses.create({ model: models.talks, input: "Hello", instructions: "Be brief." });
    demand(answer.output_text && answer.status === "completed", "no text");
  });
  await check(`responses, streamed with tools, ${models.name}`, async () => {
    const stream = client.responses.stream({ model: models.calls, input: messages, tools: [flatTool], tool_choice: "required" });
    const kinds = [];
    for await (const event of stream) kinds.push(event.type);
    const answer = await stream.finalResponse();
    demand(kinds.includes("response.function_call_arguments.delta"), "no pieces of arguments");
    demand(answer.output.some((item) => item.type === "function_call" && item.name === "weather"), "no call");
  });
  await check(`responses, streamed text, ${models.name}`, async () => {
    const stream = client.responses.stream({ model: models.talks, input: "Hello" });
    demand((await stream.finalResponse()).output_text, "no text");
  });
  await check(`responses, JSON schema, ${models.name}`, async () => {
    const format = { type: "json_schema", name: "Named", strict: true, schema: formOf(models.field) };
    const answer = await client.responses.parse({ model: models.fills, input: "Name one.", text: { format } });
    demand(models.field in JSON.parse(answer.output_text), "no name");
  });
}

await check("embeddings", async () => {
  const answer = await client.embeddings.create({ model: "sandbox/embedding", input: ["one", "two"], dimensions: 32 });
  demand(answer.data.length === 2 && answer.data[0].embedding.length === 32, "no vectors");
});

await check("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  demand(names.includes("sandbox/standard"), "no sandbox");
});

await check("errors", async () => {
  try {
    await client.responses.create({ model: "sandbox/standard", input: "Hello", previous_response_id: "x" });
  } catch (error) {
    demand(error instanceof OpenAI.BadRequestError && error.param === "previous_response_id", "another error");
    demand(error.requestID, "no request id");
    return;
  }
  throw new Error("nothing was thrown");
});

await check("batch, from the file to the answers", async () => {
  const body = { model: "sandbox/standard", messages };
  const lines = [1, 2, 3].map((n) => JSON.stringify({ custom_id: `request-${n}`, method: "POST", url: "/v1/chat/completions", body }));
  const file = await client.files.create({ file: await toFile(Buffer.from(lines.join("\n")), "a.jsonl"), purpose: "batch" });
  let batch = await client.batches.create({
    input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h", metadata: { name: "node" },
  });
  demand(batch.status === "validating", "not validating");
  for (let turn = 0; turn < 200 && !["completed", "failed"].includes(batch.status); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    batch = await client.batches.retrieve(batch.id);
  }
  demand(batch.status === "completed" && batch.request_counts.completed === 3, `it is ${batch.status}`);
  const answers = (await (await client.files.content(batch.output_file_id)).text()).trim().split("\n").map(JSON.parse);
  demand(answers.length === 3 && answers[0].response.body.choices[0].message.content, "no answers");
  for await (const each of client.batches.list({ limit: 1 })) {
    demand(each.id === batch.id, "another batch");
    break;
  }
  demand((await client.files.delete(file.id)).deleted, "not deleted");
});
