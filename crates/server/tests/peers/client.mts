// The client of openapi-typescript's types (through openapi-fetch): takes a token, sends a flow of three channels,
// tracks it and finds it. Arguments: the server's URL, and an application's credentials as `Authorization: Basic` has
// them.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

const [url, credentials] = process.argv.slice(2);
if (!url || !credentials) throw new Error("usage: client URL CREDENTIALS");

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

const basic = createClient<paths>({
  baseUrl: url,
  headers: { Authorization: `Basic ${credentials}` },
});
const token = await basic.POST("/oauth/token", {
  body: { grant_type: "client_credentials" },
  bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
});
check(token.data !== undefined, token.error);

const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token.data.access_token}` } });
const to = "+306900000012";
const flow: components["schemas"]["SendRequest"] = {
  flow: [
    { type: "Viber", senderInfoTrackingId: "acme", to, message: { text: "Your code is 1234" } },
    { type: "Sms", from: "Acme", to, message: { body: "Your code is 1234" } },
    {
      type: "Voice",
      from: "+302100000000",
      to: { phone: to },
      dialPlan: { verbs: [{ type: "SAY", message: { text: "Your code is 1 2 3 4" } }] },
    },
  ],
};
const sent = await client.POST("/failover", { body: flow });
check(sent.data !== undefined, sent.error);
const trackingId = sent.data.trackingId;

const deadline = Date.now() + 60_000;
let status: components["schemas"]["TrackingView"]["status"];
do {
  check(Date.now() < deadline, "the flow does not end");
  const tracking = await client.GET("/failover/tracking/{trackingId}", { params: { path: { trackingId } } });
  check(tracking.data !== undefined, tracking.error);
  status = tracking.data.status;
  await new Promise((resolve) => setTimeout(resolve, 50));
} while (status !== "Succeeded" && status !== "Failed");

const page = await client.POST("/failover/tracking", {
  params: { query: { size: 10 } },
  body: [{ fieldName: "to", searchTerm: to }],
});
check(page.data !== undefined, page.error);
// An export would be text.
check(typeof page.data === "object", page.data);
check(page.data.totalElements === 1 && page.data.content[0]?.trackingId === trackingId, page.data);

const refused = await client.POST("/failover", { body: { flow: [] } });
check(refused.error !== undefined && "errors" in refused.error && refused.error.errors?.[0]?.field === "flow", refused);
console.log(`typescript: ${status}, found`);
