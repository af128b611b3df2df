"""Datasets of what people did with the answers: judged calls become the files that trainers load.

    judged calls --rows--> state --resolve, split--> OUT_DIR/{sft,dpo,kto,eval}/{train,test}.jsonl, provenance, card

`examples` says what a judgement gives, a file for each kind; `formats` how it is written, a file for each format.
"""

from otel_labelstudio.annotations.datasets.card import Contents
from otel_labelstudio.annotations.datasets.dataset import Dataset, write_dataset
from otel_labelstudio.annotations.datasets.left_out import LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind, Several

__all__ = ["Contents", "Dataset", "DatasetOptions", "Kind", "LeftOut", "Several", "write_dataset"]
