"""The examples at the end of each command's help: what stands after the command's name."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("", "--label", "--port 8080 --only review", "--data-dir ./label-studio"),
    "check": ("--mode chat", "--url https://labeling.example.com --project-id 7", "--config receiver.toml"),
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
    "report": (
        "report.html --project-name 'support-bot 2026-11'",
        "report.html --project-id 3 --project-id 4 --by model,metadata.prompt_version",
        "report.html --project-id 3 --before 2026-11-15",
        "report.html --project-id 3 --compare 2026-10-01..2026-11-01,2026-11-01..2026-12-01",
        "--format text --input export.json",
        "--format json --project-id 3 | jq .total.unchanged",
    ),
    "outbox": ("status calls.db", "list calls.db --json", "retry calls.db"),
}
