"""Measurement: metrics (pure), question sets, public benchmarks, speed."""
