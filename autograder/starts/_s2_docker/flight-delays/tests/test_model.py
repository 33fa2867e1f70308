from service.model import Model

FLIGHT = {"month": 7, "sched_dep_time": 1745, "carrier": "EV", "origin": "EWR", "distance": 200}


def test_evening_flights_are_late_more_often():
    model = Model.load("models/late.json")
    assert model.probability(FLIGHT) > model.probability({**FLIGHT, "sched_dep_time": 600})
