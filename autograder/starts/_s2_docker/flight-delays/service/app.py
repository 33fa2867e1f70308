"""The web service: POST /predict, GET /health, GET /live."""

from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from service import settings
from service.model import Model


class Flight(BaseModel):
    """What is known when a flight is scheduled."""

    month: int = Field(ge=1, le=12)
    sched_dep_time: int = Field(ge=0, le=2359, description="HHMM: 1545 is 15:45")
    carrier: str = Field(min_length=2, max_length=2)
    origin: str = Field(min_length=3, max_length=3)
    distance: float = Field(gt=0, description="miles")


@asynccontextmanager
async def life(app):
    """What happens before the first request and after the last."""
    print("flight-delays: started", flush=True)
    yield
    print("flight-delays: stopped in good order", flush=True)


app = FastAPI(title="flight-delays", lifespan=life)


def model():
    """The model, or an error that callers understand if its file is not there."""
    try:
        return Model.load(settings.MODEL_PATH)
    except (OSError, ValueError) as error:
        raise HTTPException(503, "no model") from error


@app.post("/predict")
def predict(flight: Flight):
    """How likely is it that this flight arrives 15 minutes late or more?"""
    probability = model().probability(flight.model_dump())
    return {"probability": round(probability, 4), "late": probability >= settings.THRESHOLD}


@app.get("/health")
def health():
    """200 if predictions can be made, else 503."""
    model()
    return {"status": "ok", "model": Path(settings.MODEL_PATH).name}


@app.get("/live")
def live():
    """200 as long as the process runs, whether it can predict or not."""
    return {"status": "running"}
