"""A run of the stages that tells which images were opened, and when."""

import dataclasses
from collections import defaultdict

from sen12ts_pipeline.stages import steps
from tests import worlds


class Watched:
    """A source that tells which images are opened during which step."""

    def __init__(self, source):
        self.source, self.step, self.opened = source, "", defaultdict(set)

    def open(self, product):
        return WatchedFiles(self.source.open(product), self)

    def images(self, steps, ending):
        return {(p, m) for step in steps for p, m in self.opened[step] if m.endswith(ending)}


class WatchedFiles:
    def __init__(self, files, watch):
        self._files, self._watch = files, watch

    @property
    def product(self):
        return self._files.product

    def members(self):
        return self._files.members()

    def read(self, member):
        assert not member.endswith((".tiff", ".jp2"))
        return self._files.read(member)

    def held(self, member):
        self._watch.opened[self._watch.step].add((self.product, member))
        return self._files.held(member)

    def extent(self, member, start, length):
        self._watch.opened[self._watch.step].add((self.product, member))
        return self._files.extent(member, start, length)


def watched_run(services):
    """Run with a watched source, for the stages and for the engine."""
    watch = Watched(services.source)
    engine = dataclasses.replace(services.engine, source=watch)
    services = dataclasses.replace(services, source=watch, engine=engine)
    for name, shards, work in steps.sequence(worlds.partition_of(services), services):
        watch.step = name
        for shard in shards():
            work(shard)
    return services, watch
