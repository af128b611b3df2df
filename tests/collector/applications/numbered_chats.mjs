// Numbered LLM calls, each below a request, through OpenTelemetry's Node SDK: node numbered_chats.mjs PROTOCOL URL CALLS
// Prints the ids of all spans in JSON: llm and others.
import { context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as Grpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as Json } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Protobuf } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [protocol, url, calls] = process.argv.slice(2);
const exporter = new { grpc: Grpc, json: Json, protobuf: Protobuf }[protocol]({ url });
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "kiosk" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("kiosk");
const ids = { llm: [], others: [] };
const message = (role, content) => ({ role, parts: [{ type: "text", content }] });
for (let number = 0; number < Number(calls); number += 1) {
  const request = tracer.startSpan("GET /", { attributes: { "http.request.method": "GET" } });
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.input.messages": JSON.stringify([message("user", `Question ${number}.`)]),
    "gen_ai.output.messages": JSON.stringify([{ ...message("assistant", `${number}`), finish_reason: "stop" }]),
  };
  const call = tracer.startSpan("chat gpt-4o-mini", { attributes }, trace.setSpan(context.active(), request));
  call.end();
  request.end();
  ids.llm.push(call.spanContext().spanId);
  ids.others.push(request.spanContext().spanId);
}
await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify(ids));
