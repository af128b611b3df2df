// One LLM span through OpenTelemetry's Node SDK: node send_span.mjs PROTOCOL ENDPOINT ATTRIBUTES
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter as Grpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as Json } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Protobuf } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [protocol, url, attributes] = process.argv.slice(2);
const exporter = new { grpc: Grpc, json: Json, protobuf: Protobuf }[protocol]({ url, timeoutMillis: 240_000 });
const results = [];
const reporting = {
  export: (spans, done) => exporter.export(spans, (result) => (results.push(result), done(result))),
  shutdown: () => exporter.shutdown(),
  forceFlush: () => exporter.forceFlush?.(),
};
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "shop" }),
  spanProcessors: [new SimpleSpanProcessor(reporting)],
});
provider.getTracer("client").startSpan("chat gpt-4o-mini", { attributes: JSON.parse(attributes) }).end();
await provider.forceFlush();
await provider.shutdown();
process.exit(results.length === 1 && results[0].code === 0 ? 0 : 1);
