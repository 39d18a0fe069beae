"""The operator's view of the data set: reads ledger and store, and writes nothing but people's verdicts on triplets.

It knows nothing of Airflow: `plugins/sen12ts_dashboard.py` serves it there and says who may do what.
"""
