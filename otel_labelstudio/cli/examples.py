"""The examples at the end of each command's help: what stands after the command's name."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("", "--label", "--port 8080 --only review", "--data-dir ./label-studio"),
    "check": ("--mode chat", "--url https://labeling.example.com --project-id 7", "--config receiver.toml --json"),
    "serve": (
        "--mode auto --project-name '{service.name} %Y-%m'",
        "--http 0.0.0.0:4318 --grpc off --bearer-tokens tokens.txt",
        "--call-filter otel_labelstudio.filters:redact_personal_data",
        "--config receiver.toml",
    ),
    "convert": (
        "traces.jsonl > tasks.jsonl",
        "traces.pb logs.pb --layout review > tasks.jsonl",
        "traces.jsonl --format calls | jq .usage",
    ),
    "send": ("traces.jsonl --mode chat", "recordings/*.pb --project-id 7 --json"),
    "dataset": (
        "out --project-id 7",
        "out --project-name 'Chats 2026' --kind sft,dpo,kto --min-rating 5 --split 0.8/0.2",
        "out --input export.json --format openai --annotators anna@example.com,12",
    ),
    "report": (
        "report.html --project-name 'support-bot 2026-11'",
        "report.html --project-id 3 --project-id 4 --by model,metadata.prompt_version",
        "report.html --project-id 3 --before 2026-11-15",
        "report.html --project-id 3 --compare 2026-10-01..2026-11-01,2026-11-01..2026-12-01",
        "--format text --input export.json",
        "--format json --project-id 3 | jq .total.unchanged",
    ),
    "outbox": ("status calls.db", "list calls.db --json", "retry calls.db"),
    "feedback": (
        "--to jsonl --input export.json",
        "--to otlp --project-id 7 --state feedback.db --every 60",
        "--to phoenix --project-name support-bot --state feedback.db --names rating=quality",
        "--to langfuse --project-id 7 --state feedback.db --json | jq .sent",
    ),
}
