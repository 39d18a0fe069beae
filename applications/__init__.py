"""The two applications of the SEN12TS paper, on any data set of its form: vegetation from radar, and crop classes.

Needs PyTorch: ``pip install 'sen12ts-pipeline[torch]'``.
"""
