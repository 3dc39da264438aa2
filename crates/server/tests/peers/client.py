"""The client that openapi-python-client makes: takes a token, sends a flow of three channels, tracks it and finds it.

Arguments: the server's URL, and an application's credentials as `Authorization: Basic` has them. The generated package is on
PYTHONPATH.
"""

import sys
import time

from switchback_client import AuthenticatedClient, Client
from switchback_client.api.authentication import take_token
from switchback_client.api.sending import send_flow
from switchback_client.api.tracking import search_trackings, track_flow
from switchback_client import models

url, credentials = sys.argv[1:]

basic = Client(base_url=url, headers={"Authorization": f"Basic {credentials}"})
token = take_token.sync(client=basic, body=models.TokenRequest(grant_type="client_credentials"))
assert isinstance(token, models.TokenResponse), token

client = AuthenticatedClient(base_url=url, token=token.access_token)
to = "+306900000011"
flow = models.SendRequest(
    flow=[
        models.ViberStepRequest(
            type_=models.ViberType.VIBER,
            sender_info_tracking_id="acme",
            to=to,
            message=models.ViberMessageRequest(text="Your code is 1234"),
        ),
        models.SmsStepRequest(
            type_=models.SmsType.SMS, from_="Acme", to=to, message=models.SmsMessageRequest(body="Your code is 1234")
        ),
        models.VoiceStepRequest.from_dict(
            {
                "type": "Voice",
                "from": "+302100000000",
                "to": {"phone": to},
                "dialPlan": {"verbs": [{"type": "SAY", "message": {"text": "Your code is 1 2 3 4"}}]},
            }
        ),
    ]
)
sent = send_flow.sync(client=client, body=flow)
assert isinstance(sent, models.SendResponse), sent
assert [type(step).__name__ for step in sent.flow] == ["ViberStep", "SmsStep", "VoiceStep"], sent.flow

deadline = time.monotonic() + 60
while True:
    tracking = track_flow.sync(sent.tracking_id, client=client)
    assert isinstance(tracking, models.TrackingView), tracking
    if tracking.status in ("Succeeded", "Failed"):
        break
    assert time.monotonic() < deadline, tracking
    time.sleep(0.05)

filters = [models.FilterRequest(field_name=models.FieldName.TO, search_term=to)]
page = search_trackings.sync(client=client, body=filters, size=10)
assert isinstance(page, models.PageView), page
assert page.total_elements == 1 and page.content[0].tracking_id == sent.tracking_id, page

refused = send_flow.sync(client=client, body=models.SendRequest(flow=[]))
assert isinstance(refused, models.ErrorBody) and refused.errors[0].field == "flow", refused
print(f"python: {tracking.status}, found")
