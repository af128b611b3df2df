"""The way back: what people did with the answers becomes datasets, feedback and a report.

Label Studio --collect--> `AnnotatedTask` --judge--> `JudgedCall` --write--> dataset, feedback, report
"""
