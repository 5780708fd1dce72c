"""The same fan-out as the broker's: FastAPI, aiohttp and orjson. Parsed and concatenated, nothing else is done."""

import asyncio
import json
import os
from contextlib import asynccontextmanager

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

PLAN = json.loads(os.environ["PLAN"])
FORM = "application/x-www-form-urlencoded"


@asynccontextmanager
async def lifespan(app):
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)


async def post(session, url, media, body):
    async with session.post(url, data=body, headers={"Content-Type": media}) as said:
        said.raise_for_status()
        return orjson.loads(await said.read())


async def chain(session, source):
    url = source["url"]
    if source["kind"] == "gp":
        return await post(session, url + PLAN["operation"], "application/fhir+json", PLAN["parameters"])
    patient = await post(session, f"{url}/Patient/_search", FORM, PLAN["identifier"])
    search = f"patient={patient['entry'][0]['resource']['id']}&_count=100"
    return await post(session, f"{url}/Observation/_search", FORM, search)


@app.post("/{path:path}")
async def merged(request: Request):
    session = request.app.state.session
    bundles = await asyncio.gather(*(chain(session, source) for source in PLAN["sources"]))
    entry = [one for bundle in bundles for one in bundle["entry"]]
    text = orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry})
    return Response(text, media_type="application/fhir+json")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error", access_log=False)
