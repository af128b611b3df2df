// The Vercel AI SDK, traced by OpenTelemetry: node app.js
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { generateText } from "ai";
import { MockLanguageModelV2 } from "ai/test";

// OTEL_EXPORTER_OTLP_ENDPOINT says where to
const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
trace.setGlobalTracerProvider(provider);

// A stand-in that needs no key: openai("gpt-4o-mini") of @ai-sdk/openai in its place
const model = new MockLanguageModelV2({
  doGenerate: async () => ({
    content: [{ type: "text", text: "Paris." }],
    finishReason: "stop",
    usage: { inputTokens: 8, outputTokens: 2, totalTokens: 10 },
    warnings: [],
  }),
});

const { text } = await generateText({
  model,
  prompt: "What is the capital of France?",
  experimental_telemetry: { isEnabled: true },
});
console.log(text);
await provider.shutdown();
