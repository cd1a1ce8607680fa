"""What the OpenAPI document says of the contributor's door."""

from __future__ import annotations

from centralbot.entrypoints.api.gate import GateAnswer, VerifyAnswer, VerifyRequest
from centralbot.entrypoints.api.operations import Operation, Parameter

_TOKEN = Parameter(name="gate_token", place="path", text="the last part of the link in the bot's comment")
_PATH = "/api/v1/gate/{gate_token}"

GATE: tuple[Operation, ...] = (
    Operation(
        method="get",
        path=_PATH,
        name="lookAtGate",
        summary="One challenge as the caller sees it: what is asked, until when",
        tag="contributor",
        answer=GateAnswer,
        refusals=(401, 404, 429, 503),
        parameters=(_TOKEN,),
        security=(),
    ),
    Operation(
        method="post",
        path=f"{_PATH}/verify",
        name="verifyAtGate",
        summary="Show the proofs, as the pull request's author; verified already is the same answer",
        tag="contributor",
        request=VerifyRequest,
        request_required=False,
        answer=VerifyAnswer,
        refusals=(400, 401, 403, 404, 409, 413, 429, 503),
        parameters=(_TOKEN,),
        security=("session", "token"),
    ),
)
