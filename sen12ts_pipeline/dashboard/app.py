"""The dashboard as a FastAPI app: pages for people, the same as JSON for programs, and one action."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from sen12ts_pipeline.dashboard import atlas, funnel, overview, quality, queries, triplet, usage
from sen12ts_pipeline.dashboard.access import Access, json_only, own_origin
from sen12ts_pipeline.dashboard.browser import CandidatesPage, TripletsPage, candidates_page, triplets_page
from sen12ts_pipeline.dashboard.pages import Pages
from sen12ts_pipeline.dashboard.recent import Recent
from sen12ts_pipeline.dashboard.sources import Sources, connected
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.quality import MEASURES
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.ports import CandidateState, Verdict
from sen12ts_pipeline.state.ledger import SqlLedger

log = logging.getLogger(__name__)

FRESH_S = 15
"""Age of counts over the whole ledger that are shown again."""
STATIC = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
AOI = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
TILE = r"^\d{2}_-?\d{1,5}_-?\d{1,5}$"
S2DATE = r"^(\d{4}(-\d\d(-\d\d)?)?)?$"

EMPTY_IS_ALL = BeforeValidator(lambda text: text or None)
"""Forms send what was left open as an empty text."""
Area = Annotated[str, Path(pattern=AOI, max_length=100)]
Name = Annotated[str, Path(max_length=160)]
MeasureName = Annotated[str, Query(max_length=40)]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]


class Judgement(BaseModel):
    """Body of the one writing route."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    withheld: bool = Field(description="True withholds the triplet from the index, false releases it.")
    reason: str = Field(
        min_length=3, max_length=1000, description="Why; kept with the name of who did it and the time."
    )


@dataclass(frozen=True, slots=True)
class Availability:
    """Tiles by number of triplets, and triplets by season, of every area."""

    tiles: list[queries.TileCount]
    seasons: list[queries.SeasonCount]


def create_app(access: Access, sources: Sources | None = None) -> FastAPI:
    """The app; no route of it answers anybody whom `access` does not let pass.

    Parameters
    ----------
    access : Access
        Rights.
    sources : Sources, optional
        What it reads; the configured ledger and store by default.
    """
    guard = [Depends(access.reader), Depends(own_origin(access))]
    app = FastAPI(title="sen12ts", dependencies=guard, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5)
    app.state.answers = Answers(sources or connected())
    app.state.pages = Pages()
    _handle_errors(app)
    _add_api(app, access)
    _add_pages(app)
    return app


class Answers:
    """Values of the pages, some of them kept for some seconds."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._recent = Recent(FRESH_S)

    @property
    def ledger(self) -> SqlLedger:
        """The ledger; an error that says what to do when it cannot be opened."""
        return self.sources.ledger()

    def overview(self) -> overview.Overview:
        """The first page."""
        return self._recent.get("overview", lambda: overview.overview(self.sources))

    def funnel(self, wanted: queries.Wanted) -> funnel.Funnel:
        """The funnel of what is wanted."""
        return self._recent.get(("funnel", wanted), lambda: funnel.funnel(self.ledger, wanted))

    def atlas(self, aoi: str) -> atlas.Atlas:
        """Map of an area; 404 for one that is neither configured nor recorded."""
        if aoi not in self.areas():
            raise HTTPException(404, f"no area is called {aoi}; there are {', '.join(self.areas()) or 'none'}")
        return self._recent.get(("atlas", aoi), lambda: atlas.atlas(self.ledger, aoi, self.sources.areas().get(aoi)))

    def quality(self, wanted: queries.Wanted) -> quality.Quality:
        """Distributions of what is wanted."""
        return self._recent.get(("quality", wanted), lambda: quality.quality(self.ledger, wanted))

    def usage(self) -> usage.Usage:
        """Quotas, disks, queues and stages."""
        return self._recent.get("usage", lambda: usage.usage(self.sources, self.overview()))

    def availability(self) -> Availability:
        """Counts of the second figure."""
        return self._recent.get("availability", self._availability)

    def areas(self) -> list[str]:
        """Names of all areas, configured or recorded."""
        return self._recent.get("areas", self._areas)

    def candidates(self, wanted: queries.Wanted, page: int) -> CandidatesPage:
        """A page of candidates."""
        return candidates_page(self.ledger, wanted, page, self._recent)

    def triplets(self, wanted: queries.Wanted, code: int | None, page: int) -> TripletsPage:
        """A page of triplets."""
        return triplets_page(self.ledger, self.sources.store, wanted, code, page, self._recent)

    def row(self, aoi: str, name: str) -> queries.TripletRow:
        """A triplet that the ledger knows; else 404."""
        row = triplet.row_of(self.ledger, aoi, name)
        if row is None:
            raise HTTPException(404, f"the ledger knows no triplet {name[:160]} of {aoi}")
        return row

    def judge(self, verdict: Verdict) -> Verdict:
        """Record a verdict, and show it at once."""
        self.ledger.record_verdict(verdict)
        self._recent.forget()
        return verdict

    def _areas(self) -> list[str]:
        return sorted({*self.sources.areas(), *(partition.aoi for partition in self.ledger.partitions())})

    def _availability(self) -> Availability:
        with self.ledger.reading() as connection:
            return Availability(queries.tile_counts(connection), queries.season_counts(connection))


def wanted_of(
    aoi: Annotated[str, Query(max_length=100)] = "",
    year: Annotated[Annotated[int, Field(ge=0, le=2100)] | None, EMPTY_IS_ALL] = None,
    season: Annotated[Season | None, EMPTY_IS_ALL] = None,
    tile: Annotated[str, Query(max_length=20)] = "",
    state: Annotated[CandidateState | None, EMPTY_IS_ALL] = None,
    rule: Annotated[str, Query(max_length=40)] = "",
    track: Annotated[Annotated[int, Field(ge=0, le=175)] | None, EMPTY_IS_ALL] = None,
    s2date: Annotated[str, Query(pattern=S2DATE)] = "",
) -> queries.Wanted:
    """Filters, as a query says them."""
    return queries.Wanted(aoi, year or 0, season or "", tile, state or "", rule, track or 0, s2date)


def answers_of(request: Request) -> Answers:
    """Answers of the app that serves a request."""
    answers: Answers = request.app.state.answers
    return answers


Wanted = Annotated[queries.Wanted, Depends(wanted_of)]
Ask = Annotated[Answers, Depends(answers_of)]
Code = Annotated[Annotated[int, Field(ge=-32768, le=32767)] | None, EMPTY_IS_ALL, Query(alias="class")]


def _add_api(app: FastAPI, access: Access) -> None:  # noqa: C901 - one small function a route
    person = Depends(access.writer)

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        return dict(request.app.openapi())

    @app.get("/api/overview")
    def api_overview(ask: Ask) -> overview.Overview:
        """Areas, seasons, what needs a person, and the end."""
        return ask.overview()

    @app.get("/api/availability")
    def api_availability(ask: Ask) -> Availability:
        """Tiles by number of triplets, triplets by season."""
        return ask.availability()

    @app.get("/api/map/{aoi}")
    def api_map(aoi: Area, ask: Ask) -> atlas.Atlas:
        """Tiles and outline of an area."""
        return ask.atlas(aoi)

    @app.get("/api/map/{aoi}/layers/{year}/{season}")
    def api_layers(aoi: Area, year: int, season: Season, ask: Ask) -> atlas.Layers:
        """Tracks and granules of a partition."""
        try:
            return atlas.layers(ask.sources.store(), Partition(aoi, year, season))
        except KeyError:
            raise HTTPException(404, f"{aoi} {season} {year} was not searched yet: run its DAG") from None

    @app.get("/api/funnel")
    def api_funnel(wanted: Wanted, ask: Ask) -> funnel.Funnel:
        """What was lost at which rule."""
        return ask.funnel(wanted)

    @app.get("/api/candidates")
    def api_candidates(wanted: Wanted, ask: Ask, number: PageNumber = 1) -> CandidatesPage:
        """The pairs behind a number."""
        return ask.candidates(wanted, number)

    @app.get("/api/why/{tile}")
    def api_why(tile: Annotated[str, Path(pattern=TILE)], ask: Ask) -> funnel.Why:
        """Everything that is known of a tile."""
        return funnel.why(ask.ledger, _tile(tile))

    @app.get("/api/triplets")
    def api_triplets(wanted: Wanted, ask: Ask, number: PageNumber = 1, code: Code = None) -> TripletsPage:
        """Finished triplets."""
        return ask.triplets(wanted, code, number)

    @app.get("/api/triplets/{aoi}/{name}")
    def api_triplet(aoi: Area, name: Name, ask: Ask) -> triplet.TripletView:
        """One triplet with its numbers and provenance."""
        return triplet.view(ask.ledger, ask.sources.store(), ask.row(aoi, name))

    @app.get("/api/quality")
    def api_quality(wanted: Wanted, ask: Ask) -> quality.Quality:
        """Distributions of what was measured, by area, year and season."""
        return ask.quality(wanted)

    @app.get("/api/outliers")
    def api_outliers(
        wanted: Wanted, ask: Ask, measure: MeasureName = "", number: PageNumber = 1
    ) -> quality.OutliersPage:
        """Numbers that were not to be expected, by area, year and season."""
        return quality.outliers_page(ask.ledger, wanted, measure, number)

    @app.get("/api/resources")
    def api_resources(ask: Ask) -> usage.Usage:
        """Quotas of providers, disks, what waits, and what stages take."""
        return ask.usage()

    @app.get("/api/withheld")
    def api_withheld(ask: Ask) -> list[Verdict]:
        """Triplets that are withheld from the index."""
        return ask.ledger.withheld()

    @app.post("/api/triplets/{aoi}/{name}/verdict", dependencies=[Depends(json_only)])
    def api_verdict(aoi: Area, name: Name, judgement: Judgement, ask: Ask, person: str = person) -> Verdict:
        """Withhold a triplet from the index, or release it; the next publish of its partition obeys."""
        row = ask.row(aoi, name)
        return ask.judge(Verdict(datetime.now(UTC), row.aoi, row.name, judgement.withheld, person, judgement.reason))

    @app.get("/files/{aoi}/{name}/{kind}")
    def file(aoi: Area, name: Name, kind: str, ask: Ask) -> Response:
        """A file of a triplet."""
        row = ask.row(aoi, name)
        if kind not in triplet.MEDIA:
            raise HTTPException(404, f"must be one of {', '.join(triplet.MEDIA)}; got {kind[:40]}")
        key = triplet.key_of(row, kind)
        body = _body(ask, key)
        kept = {"Content-Disposition": f'inline; filename="{key.rpartition("/")[2]}"', "Cache-Control": "max-age=3600"}
        return Response(body, media_type=triplet.MEDIA[kind], headers=kept)

    @app.get("/strip/{aoi}/{name}")
    def strip(aoi: Area, name: Name, ask: Ask) -> Response:
        """Picture of the four dates of a triplet."""
        try:
            body = triplet.strip(ask.sources.store(), ask.row(aoi, name))
        except KeyError as error:
            raise HTTPException(404, f"{error.args[0]} is not in the store") from None
        return Response(body, media_type="image/png", headers={"Cache-Control": "max-age=3600"})


def _add_pages(app: FastAPI) -> None:  # noqa: C901 - one small function a route
    def show(request: Request, page: str, /, **values: object) -> HTMLResponse:
        pages: Pages = request.app.state.pages
        return pages.show(request, page, values)

    @app.get("/", include_in_schema=False)
    def first(request: Request, ask: Ask) -> HTMLResponse:
        return show(request, "overview", overview=ask.overview(), limits=ask.sources.limits())

    @app.get("/map", include_in_schema=False)
    def map_page(request: Request, ask: Ask, aoi: str = "") -> HTMLResponse:
        seen = ask.overview()
        chosen = next((a for a in seen.areas if a.aoi == aoi), seen.areas[0] if seen.areas else None)
        return show(request, "map", areas=ask.areas(), chosen=chosen)

    @app.get("/availability", include_in_schema=False)
    def availability(request: Request, ask: Ask) -> HTMLResponse:
        return show(request, "availability", found=ask.availability(), overview=ask.overview())

    @app.get("/funnel", include_in_schema=False)
    def funnel_page(request: Request, wanted: Wanted, ask: Ask) -> HTMLResponse:
        return show(request, "funnel", funnel=ask.funnel(wanted), wanted=wanted, areas=ask.areas())

    @app.get("/candidates", include_in_schema=False)
    def candidates(request: Request, wanted: Wanted, ask: Ask, number: PageNumber = 1) -> HTMLResponse:
        return show(request, "candidates", found=ask.candidates(wanted, number), wanted=wanted, query=asdict(wanted))

    @app.get("/why", include_in_schema=False)
    def why(request: Request, ask: Ask, tile: Annotated[str, Query(max_length=20)] = "") -> HTMLResponse:
        found = funnel.why(ask.ledger, _tile(tile.strip())) if tile.strip() else None
        return show(request, "why", why=found, tile=tile.strip())

    @app.get("/triplets", include_in_schema=False)
    def triplets(request: Request, wanted: Wanted, ask: Ask, number: PageNumber = 1, code: Code = None) -> HTMLResponse:
        found, query = ask.triplets(wanted, code, number), {**asdict(wanted), "class": code}
        return show(request, "triplets", found=found, wanted=wanted, query=query, code=code, areas=ask.areas())

    @app.get("/triplets/{aoi}/{name}", include_in_schema=False)
    def one(request: Request, aoi: Area, name: Name, ask: Ask) -> HTMLResponse:
        return show(request, "triplet", view=triplet.view(ask.ledger, ask.sources.store(), ask.row(aoi, name)))

    @app.get("/quality", include_in_schema=False)
    def quality_page(request: Request, wanted: Wanted, ask: Ask) -> HTMLResponse:
        return show(request, "quality", quality=ask.quality(wanted), wanted=wanted, areas=ask.areas())

    @app.get("/outliers", include_in_schema=False)
    def outliers(
        request: Request, wanted: Wanted, ask: Ask, measure: MeasureName = "", number: PageNumber = 1
    ) -> HTMLResponse:
        values = {"found": quality.outliers_page(ask.ledger, wanted, measure, number), "wanted": wanted}
        query = {**asdict(wanted), "measure": measure}
        known = {"known": MEASURES, "measures": list(MEASURES), "measure": measure}
        return show(request, "outliers", **values, **known, query=query, areas=ask.areas())

    @app.get("/resources", include_in_schema=False)
    def resources_page(request: Request, ask: Ask) -> HTMLResponse:
        return show(request, "resources", found=ask.usage(), limits=ask.sources.limits())

    @app.get("/withheld", include_in_schema=False)
    def withheld(request: Request, ask: Ask) -> HTMLResponse:
        return show(request, "withheld", verdicts=ask.ledger.withheld())

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404, "there is no such file")
        body = resources.files("sen12ts_pipeline.dashboard").joinpath("static", name).read_bytes()
        return Response(body, media_type=STATIC[name], headers={"Cache-Control": "max-age=300"})


def _handle_errors(app: FastAPI) -> None:
    """Errors as JSON below ``/api``, else as a page, each with what is to be done."""

    def told(
        request: Request, status: int, wrong: str, todo: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        path = request.url.path.removeprefix(str(request.scope.get("root_path", "")))
        if path.startswith(("/api/", "/files/", "/strip/", "/static/")):
            return JSONResponse({"detail": wrong, "todo": todo}, status, headers=dict(headers or {}))
        pages: Pages = request.app.state.pages
        return pages.show(request, "error", {"wrong": wrong, "todo": todo, "status": status}, status)

    @app.exception_handler(Retryable)
    def retryable(request: Request, error: Retryable) -> Response:
        log.warning("the ledger or store does not answer", extra={"reason": str(error)})
        return told(request, 503, str(error), "See that its server runs and can be reached, then load this page again.")

    @app.exception_handler(ConfigurationError)
    def configuration(request: Request, error: ConfigurationError) -> Response:
        return told(
            request, 503, str(error), "Mend the setting and start the api-server again: it reads settings once."
        )

    @app.exception_handler(BadProduct)
    def damaged(request: Request, error: BadProduct) -> Response:
        return told(request, 500, str(error), "sen12ts verify tells what is damaged.")

    @app.exception_handler(StarletteHTTPException)
    def http(request: Request, error: StarletteHTTPException) -> Response:
        return told(request, error.status_code, str(error.detail), TODO.get(error.status_code, ""), error.headers)

    @app.middleware("http")
    async def headers(request: Request, call: Any) -> Response:  # noqa: ANN401 - Starlette's own callable
        response: Response = await call(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


TODO = {
    401: "Log in to Airflow, then load this page again.",
    403: "Ask an administrator of Airflow for a role that may do this.",
    404: "See whether the address is right.",
}


def _tile(text: str) -> TileId:
    try:
        return TileId.parse(text)
    except ValueError as error:
        raise HTTPException(404, str(error)) from None


def _body(ask: Answers, key: Any) -> bytes:  # noqa: ANN401 - an object key
    try:
        return ask.sources.store().get(key)
    except KeyError:
        raise HTTPException(404, f"{key} is not in the store: sen12ts reconcile tells what is wrong") from None
