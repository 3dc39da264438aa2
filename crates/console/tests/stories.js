// Plays the stories of the console's users in Chromium. One argument, JSON: `base` (the server), `basic` (an application's
// credentials), `application` (its id), `link` (an admin's one-time link), `data` (the data directory), `shots` (a folder for pictures, or null).
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");
const smpp = require("smpp");

const told = JSON.parse(process.argv[2]);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "correct horse battery";

/** Asks until it is so, for at most 20 s. */
async function until(what, ask) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let token;
async function api(method, path, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(told.base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return text && JSON.parse(text);
}

async function takeToken() {
  const headers = { authorization: `Basic ${told.basic}`, "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetch(`${told.base}/oauth/token`, { method: "POST", headers, body: "grant_type=client_credentials" });
  token = (await answer.json()).access_token;
}

const viber = (to, ttl = 1) => ({ type: "Viber", senderInfoTrackingId: "acme", to, ttl, message: { text: "Your parcel is here" } });
const sms = (to, body = "Your parcel is here", ttl = 1) => ({ type: "Sms", from: "Acme", to, ttl, message: { body } });
const voice = (to) => ({ type: "Voice", from: "+302100000000", to: { phone: to },
  dialPlan: { verbs: [{ type: "SAY", message: { text: "Your code is 1 2 3" } }] } });

async function send(steps, more = {}) {
  const sent = await api("POST", "/failover", { flow: steps, ...more });
  assert.ok(sent.trackingId, JSON.stringify(sent));
  return sent.trackingId;
}

async function ended(id) {
  return until(`the end of ${id}`, async () => {
    const tracking = await api("GET", `/failover/tracking/${id}`);
    return ["Succeeded", "Failed"].includes(tracking.status) && tracking;
  });
}

/** A browser of its own for a person: cookies, a time zone, and everything that went wrong in it. */
async function person(browser, options = {}) {
  const context = await browser.newContext({ baseURL: told.base, timezoneId: "Europe/Athens", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("dialog", (dialog) => { wrong.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });
  return { context, page, wrong };
}

async function signIn(page, name) {
  await page.goto("/console");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Flows" }).waitFor();
}

/** Makes an admin's browser add somebody, and sets that one's password in a browser of their own. */
async function invite(browser, admin, name, role, application = "", options = {}) {
  await admin.goto("/console/users");
  await admin.getByLabel("Name").fill(name);
  await admin.locator("#role").selectOption(role);
  await admin.locator("#application").selectOption(application);
  await admin.getByRole("button", { name: "Add" }).click();
  const link = await admin.locator("#link").textContent();
  assert.ok(link.startsWith(`${told.base}/console/`), link);
  const invited = await person(browser, options);
  await invited.page.goto(link.slice(told.base.length));
  await invited.page.getByLabel("Password").fill(PASSWORD);
  await invited.page.getByRole("button", { name: "Set the password" }).click();
  await invited.page.waitForURL("**/console/sign-in");
  await signIn(invited.page, name);
  return invited;
}

/** By mouse: from a number as a customer says it to the reason, in three steps. */
async function support(browser, admin) {
  const id = await send([viber("+306900000010"), sms("+306900000010")]);
  await ended(id);
  const { page, wrong } = await invite(browser, admin, "sue", "support");
  await page.getByRole("searchbox").fill("690 000 0010");
  await page.getByRole("button", { name: "Find" }).click();
  const row = page.getByRole("row").filter({ hasText: "+306900000010" });
  assert.match(await row.textContent(), /Viber: not a Viber user → Sms: delivered in \d+ ms/);
  await row.getByRole("link").click();
  await page.getByText("It got through by Sms.").waitFor();
  const course = await page.locator("ol.timeline").textContent();
  for (const words of ["accepted", "sandbox took it as", "Not Viber User", "ended: Succeeded"]) {
    assert.ok(course.includes(words), `${words} in ${course}`);
  }
  assert.ok(!(await page.content()).includes("Your parcel is here"), "a text that nobody asked for");
  await page.getByRole("link", { name: "Show what the messages say" }).click();
  await page.getByText("Your parcel is here").first().waitFor();
  // However a number, an id or a reference is written.
  const tracking = await api("GET", `/failover/tracking/${id}`);
  const { messageId, smsId } = tracking.messages[1];
  const events = await api("GET", `/failover/tracking/${id}/events`);
  const { reference } = events.events.find((event) => event.event === "taken");
  for (const text of ["+30 690 000-0010", "0030 6900000010", "306900000010", "(690) 0000010", id, messageId, smsId, reference, "00010"]) {
    await page.goto("/console/flows");
    await page.getByRole("searchbox").fill(text);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.search.includes("q=") || url.pathname.includes(id));
    assert.ok((await page.content()).includes(id), `${text} finds it`);
  }
  // As it is copied from contacts, chats and signatures.
  for (const text of ["690/000/0010", "\u202a+306900000010\u202c", "690\u20110000010", "690\u2013000 0010", "690\u202f0000010",
    "\uff16\uff19\uff10\uff10\uff10\uff10\uff10\uff10\uff11\uff10", "\u0666\u0669\u0660\u0660\u0660\u0660\u0660\u0660\u0661\u0660",
    "tel:+30-690-0000010", "+30 (0)690 000 0010"]) {
    await page.goto(`/console/flows?q=${encodeURIComponent(text)}`);
    assert.ok((await page.content()).includes(id), `${text} finds it`);
    await page.getByText("the number +306900000010").waitFor();
  }
  await page.goto("/console/flows?q=%2B306999999999");
  await page.getByText("the number +306999999999").waitFor();
  await exports(page, id, reference);
  assert.deepEqual(wrong, []);
  return page;
}

/** An export has what the list shows, however the box is read and whichever page is open. */
async function exports(page, id, reference) {
  const own = await send([sms("+306900000012")]);
  await ended(own);
  for (const [q, expected] of [[reference, id], [id, id], ["+306900000012", own]]) {
    const list = `q=${encodeURIComponent(q)}&application=${told.application}&page=1`;
    for (const format of ["csv", "json"]) {
      const answer = await page.request.get(`/console/flows/export?format=${format}&${list}`);
      assert.equal(answer.status(), 200, `${q} as ${format}: ${await answer.text()}`);
      assert.ok((await answer.text()).includes(expected), `${q} as ${format} has its flow`);
    }
  }
}

/** By keyboard alone: to the box, to a flow, and what can be done about it. */
async function keyboard(browser) {
  const id = await send([sms("+306900000073", "Your parcel is here", 30)]);
  const { page, wrong } = await person(browser);
  await page.goto("/console");
  await page.locator("#name:focus").waitFor();
  await page.keyboard.type("sue");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Flows" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("+306900000073");
  await page.keyboard.press("Enter");
  await page.getByText("the number +306900000073").waitFor();
  await page.locator("h1").click();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/console/flows/${id}`);
  await page.keyboard.press("?");
  assert.ok(await page.locator("#keys").isVisible());
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Cancel: send nothing more" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("It was cancelled: nothing more of it is sent.").waitFor();
  await page.getByText("cancelled by sue").waitFor();
  assert.equal((await api("GET", `/failover/tracking/${id}`)).status, "Failed");
  assert.deepEqual(wrong, []);
}

/** A viewer's pages have no full number and no text, wherever one could stand. */
async function viewer(browser, admin) {
  const labelled = sms("+306900000001", "Secret 4711 for +306911111111");
  labelled.message.label = "user_306933333333";
  const id = await send([labelled, voice("+306900000001")],
    { callback: { strategy: "OnChange", url: "http://127.0.0.1:9/+306922222222?key=5ecret" } });
  await ended(id);
  const { page } = await invite(browser, admin, "vic", "viewer");
  for (const address of ["/console/flows", "/console/flows?q=%2B306900000001", `/console/flows/${id}`, "/console/figures"]) {
    await page.goto(address);
    const html = await page.content();
    const numbers = html.replaceAll(/value="[^"]*"|\?q=[^"&]*/g, "").match(/(?:\+|00)?3069\d{8}/g);
    assert.equal(numbers, null, `${address} shows ${numbers}`);
    assert.ok(!html.includes("4711") && !html.includes("5ecret"), address);
  }
  // The hidden digits can't be found one by one.
  for (const part of ["%2B3069", "0001", "00030"]) assert.equal((await page.goto(`/console/flows?q=${part}`)).status(), 422, part);
  for (const [label, isFound] of [["user_3069", false], ["user_306933333333", true]]) {
    await page.goto(`/console/flows?q=${label}`);
    assert.equal((await page.content()).includes(id), isFound, label);
  }
  for (const address of [`/console/flows/${id}?texts=true`, "/console/users", "/console/opt-outs", "/console/applications",
    `/console/flows/${id}/erase`, "/console/flows/export?format=csv"]) {
    assert.equal((await page.goto(address)).status(), 403, address);
  }
  // Nor by trying whole ones: 30 a minute are what a person looks for.
  const tries = Array.from({ length: 40 }, (_, i) => page.request.get(`/console/flows?q=%2B3069000001${10 + i}`));
  const held = (await Promise.all(tries)).filter((answer) => answer.status() === 429);
  assert.ok(held.length >= 15, `${held.length} of 40`);
  assert.match(await held[0].text(), /Too many tries; try again in \d+ s/);
}

/** Sets what the application may still spend; empty: nobody counts. */
async function balance(admin, amount) {
  await admin.goto("/console/applications");
  const card = admin.locator("section.card").filter({ hasText: told.application });
  await card.getByText("Change", { exact: true }).click();
  await card.getByLabel("Set the balance").fill(amount);
  await card.getByRole("button", { name: "Set" }).first().click();
  await card.getByText(amount === "" ? "not counted" : "0").first().waitFor();
  // A running server follows within a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
}

/** Every state that a flow can be in reads as a sentence. */
async function states(page, admin) {
  const said = {};
  const flows = [];
  for (let digit = 0; digit <= 9; digit += 1) {
    flows.push([`Sms ${digit}`, [sms(`+30690000020${digit}`)]]);
    flows.push([`Viber ${digit}, then Sms`, [viber(`+3069000003${digit}0`), sms(`+3069000003${digit}0`)]]);
    flows.push([`Voice ${digit}`, [voice(`+306900000${digit}00`)]]);
  }
  const ids = await Promise.all(flows.map(async ([name, steps]) => [name, await send(steps)]));
  const cancelled = await send([sms("+306900000003", "Your parcel is here", 60)]);
  await api("DELETE", `/failover/${cancelled}`);
  await api("PUT", "/suppressions/Sms/%2B306900000990?reason=STOP");
  const unwanted = await send([sms("+306900000990")]);
  await ended(unwanted);
  await balance(admin, "0.00");
  const unpayable = await send([sms("+306900000000")]);
  await ended(unpayable);
  await balance(admin, "");
  ids.push(["Cancelled", cancelled], ["Opted out", unwanted], ["Unpayable", unpayable]);
  for (const [, id] of ids) await ended(id);
  // What comes late has come.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const [name, id] of ids) {
    await page.goto(`/console/flows?q=${id}`);
    const headline = await page.locator("section.card strong").first().textContent();
    const steps = await page.locator(".cards section.card > p").allTextContents();
    said[name] = `${headline} ${steps.join(" → ")}`.replaceAll(/\d+(\.\d+)? (ms|s)\b/g, "N $2");
  }
  // One whose document a failing disk damaged is still listed.
  const damaged = await send([sms("+306900000201")]);
  await ended(damaged);
  const damage = "import sqlite3, sys, uuid; db = sqlite3.connect(sys.argv[1]); " +
    "db.execute(\"UPDATE flows SET doc = x'00' WHERE id = ?\", [uuid.UUID(sys.argv[2]).bytes]); db.commit()";
  execFileSync("python3", ["-c", damage, path.join(told.data, "switchback.db"), damaged]);
  await page.goto("/console/flows");
  said.Damaged = await page.getByRole("row").filter({ hasText: "can't be read" }).locator("td[colspan]").textContent();
  const file = path.join(__dirname, "states.json");
  const text = JSON.stringify(said, null, 2) + "\n";
  if (process.env.REWRITE_SNAPSHOTS) require("node:fs").writeFileSync(file, text);
  assert.equal(text, readFileSync(file, "utf8"));
}

/** An SMSC that takes every bind; `die` ends it with its sessions. */
async function openSmsc() {
  const sessions = new Set();
  const smsc = smpp.createServer((session) => {
    sessions.add(session);
    session.on("pdu", (pdu) => { if (!pdu.isResponse()) session.send(pdu.response()); });
    session.on("error", () => {});
  });
  await new Promise((resolve) => smsc.listen(told.smsc, "127.0.0.1", resolve));
  return { die() { smsc.close(); for (const session of sessions) session.destroy(); } };
}

/** A carrier dies: seen within 5 s. Another one is paused: what waits says so. It is resumed: nothing was lost. */
async function operator(admin, smsc) {
  await admin.goto("/console/carriers");
  const card = (name) => admin.locator("section.card").filter({ has: admin.getByRole("heading", { name, exact: true }) });
  await card("smsc").locator(".badge", { hasText: /^up$/ }).waitFor();
  const died = Date.now();
  smsc.die();
  await card("smsc").locator(".badge", { hasText: /^down$/ }).waitFor();
  assert.ok(Date.now() - died < 5000, `seen after ${Date.now() - died} ms`);
  await admin.getByRole("button", { name: "Pause: sandbox" }).click();
  await card("sandbox").locator(".badge", { hasText: "paused" }).waitFor();
  const id = await send([sms("+306900000000", "Your parcel is here", 60)]);
  await admin.goto(`/console/flows/${id}`);
  const waits = admin.getByText(/It waits for carrier (sandbox, paused|smsc, down) since/);
  await waits.waitFor();
  await admin.goto("/console/carriers");
  await admin.getByRole("cell", { name: "Sms to be sent" }).waitFor();
  await admin.getByRole("button", { name: "Resume: sandbox" }).click();
  await ended(id);
  assert.equal((await api("GET", `/failover/tracking/${id}`)).status, "Succeeded");
}

/** What others' pages and texts with markup can do: nothing. */
async function hostile(browser, admin, wrong) {
  const markup = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
  const id = await send([{ ...viber("+306900000010"), label: markup.slice(0, 70) }, sms("+306900000010", markup)]);
  await ended(id);
  await admin.goto("/console/applications");
  await admin.getByLabel("A new application's name").fill(markup);
  await admin.getByRole("button", { name: "Create" }).click();
  await admin.getByText("Keep these now").waitFor();
  // Who was revoked sends nothing, whatever form asks for it.
  const revoked = await admin.locator(".notice code").first().textContent();
  const post = (address, form) => admin.request.post(address, { form, headers: { origin: told.base } });
  assert.ok((await post("/console/applications/revoke", { application: revoked })).ok());
  const tried = await post("/console/try",
    { application: revoked, to: "+306900000000", text: "hello", first: "Sms", second: "", third: "" });
  assert.equal(tried.status(), 422, await tried.text());
  for (const address of ["/console/flows", `/console/flows/${id}?texts=true`, "/console/applications", "/console/users/audit", "/console/try",
    `/console/flows?q=${encodeURIComponent(markup)}`, `/console/opt-outs?done=${encodeURIComponent(markup)}`]) {
    await admin.goto(address);
    assert.equal(await admin.locator("main img, main script").count(), 0, address);
  }
  // No page without a session, and back to where one wanted to go, but never to another site.
  const { page, context } = await person(browser);
  const open = ["/console", "/console/flows", `/console/flows/${id}`, "/console/users", "/console/users/audit", "/console/carriers",
    "/console/figures", "/console/callbacks", "/console/opt-outs", "/console/applications", "/console/routes", "/console/try"];
  for (const address of open) {
    await page.goto(address);
    assert.match(page.url(), /\/console\/sign-in\?then=/, address);
  }
  for (const then of ["https://evil.example/", "//evil.example/", "/\\evil.example", "/console/\\evil"]) {
    await page.goto(`/console/sign-in?then=${encodeURIComponent(then)}`);
    assert.equal(await page.locator("input[name=then]").inputValue(), "/console/flows", then);
  }
  // A session that somebody else chose is not taken over.
  await context.addCookies([{ name: "switchback", value: "chosen-by-another", url: told.base }]);
  await signIn(page, "sue");
  const cookie = (await context.cookies()).find(({ name }) => name === "switchback");
  assert.ok(cookie.value !== "chosen-by-another" && cookie.httpOnly && cookie.sameSite === "Lax", JSON.stringify(cookie));
  // Another site's form, and its frame.
  const other = await send([sms("+306900000003", "Your parcel is here", 60)]);
  const evil = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(`<form method=post action="${told.base}/console/flows/${other}/cancel">
    <button>win</button></form><iframe src="${told.base}/console/flows"></iframe>`));
  await new Promise((resolve) => evil.listen(0, "localhost", resolve));
  await page.goto(`http://localhost:${evil.address().port}/`);
  const framed = await until("the frame", () => page.frames()[1]);
  await framed.waitForLoadState();
  assert.ok(!(await framed.content()).includes("What became of it"), "in another site's frame");
  await page.getByRole("button", { name: "win" }).click();
  await page.waitForURL("**/cancel");
  assert.notEqual((await api("GET", `/failover/tracking/${other}`)).status, "Failed");
  evil.close();
  // Wrong passwords make whoever guesses wait.
  let status;
  for (let i = 0; i < 8; i += 1) {
    const form = { name: "sue", password: `guess number ${i}`, then: "" };
    status = (await context.request.post("/console/sign-in", { form, headers: { origin: told.base } })).status();
  }
  assert.equal(status, 429);
  // So do many names of one address: to compare a password takes long, whosever it is.
  const tries = Array.from({ length: 20 }, (_, i) => context.request.post("/console/sign-in",
    { form: { name: `nobody${i}`, password: PASSWORD, then: "" }, headers: { origin: told.base } }));
  const statuses = (await Promise.all(tries)).map((answer) => answer.status());
  assert.ok(statuses.filter((status) => status === 429).length >= 10, statuses.join());
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.deepEqual(wrong.filter((text) => !text.includes("Failed to load resource")), []);
}

/** Over plain HTTP by a name, as in a network of one's own: browsers trust it less than this machine. */
async function network(browser, admin) {
  const base = told.base.replace("127.0.0.1", "switchback.test");
  const { page } = await invite(browser, admin, "nina", "operator", "", { baseURL: base });
  await page.goto("/console/figures?hours=24");
  await page.getByLabel("Times are shown in").fill("Asia/Tokyo");
  await page.getByRole("button", { name: "Change" }).click();
  await page.waitForURL("**/console/figures?hours=24");
  assert.equal(await page.getByLabel("Times are shown in").inputValue(), "Asia/Tokyo");
  // What can't be read or is not there is said on a page.
  for (const address of ["/console/flows?page=-1", "/console/figures?hours=abc", "/console/flows?q=a&q=b", "/console/flows/%ff", "/console/nowhere", "/console/flows/"]) {
    const answer = await page.goto(address);
    assert.ok([400, 404].includes(answer.status()), `${address}: ${answer.status()}`);
    await page.getByRole("link", { name: "To the flows" }).waitFor();
  }
  // Who is let in no more is led to signing in, not left with an empty page.
  await page.goto("/console/carriers");
  await admin.goto("/console/users");
  await admin.getByRole("button", { name: "Disable: nina" }).click();
  await page.waitForURL("**/console/sign-in?then=%2Fconsole%2Fcarriers");
}

/** A person's life: added, masked, promoted, disabled; and everything is in the audit. */
async function administrator(browser, admin) {
  const { page } = await invite(browser, admin, "max", "viewer");
  await page.goto("/console/opt-outs");
  assert.ok((await page.content()).includes("your role does not allow this") || (await page.content()).includes("Your role does not allow this"));
  await admin.goto("/console/users");
  const row = admin.getByRole("row").filter({ hasText: "max" });
  await row.locator("select").selectOption("support");
  await row.getByRole("button", { name: "Change the role: max" }).click();
  await page.goto("/console/opt-outs");
  await page.getByRole("heading", { name: "Opt-outs" }).waitFor();
  await page.getByLabel("Opt a number out").fill("690 000 0099");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByText("+306900000099 gets nothing more over").waitFor();
  await page.getByLabel("Opt a number out").fill("+30 (0) 690 000 0098");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByText("+306900000098 gets nothing more over").waitFor();
  for (const text of ["+30 0690 0000097", "hello +306900000097", "+306900000097;ext=5"]) {
    await page.goto("/console/opt-outs");
    await page.getByLabel("Opt a number out").fill(text);
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByText(`"${text}" is no phone number`).waitFor();
  }
  await admin.goto("/console/users");
  await admin.getByRole("button", { name: "Disable: max" }).click();
  await page.goto("/console/flows");
  assert.match(page.url(), /sign-in/);
  await admin.goto("/console/users/audit");
  const audit = await admin.locator("tbody").textContent();
  for (const words of ["operator.add", "operator.role", "viewer to support", "recipient.opt-out", "operator.disable", "flow.read-texts"]) {
    assert.ok(audit.includes(words), `${words} in the audit`);
  }
  assert.equal((await admin.goto("/console/routes?channel=Sms&to=6900000010&application=nonexistent")).status(), 404);
  await admin.goto(`/console/routes?channel=Sms&to=${encodeURIComponent("hello +306900000010")}&application=${told.application}`);
  await admin.getByText("is no phone number").waitFor();
  assert.ok(!audit.includes("6900000099"), "a full number in the audit");
  // Who sees one application decides nothing for all: not even as an admin.
  const { page: kim, context } = await invite(browser, admin, "kim", "admin", told.application);
  for (const address of ["/console/users", "/console/users/audit"]) assert.equal((await kim.goto(address)).status(), 403, address);
  const post = async (address, form) => (await context.request.post(address, { form, headers: { origin: told.base } })).status();
  assert.equal(await post("/console/users/add", { name: "eve", role: "admin", application: "" }), 403);
  assert.equal(await post("/console/carriers/pause", { carrier: "sandbox" }), 403);
  assert.equal(await post("/console/applications/create", { name: "another" }), 403);
}

/** Every page, light and dark, wide and as narrow as a phone, by axe-core; with pictures if they are wanted. */
async function everyPage(browser, id) {
  const pages = { flows: "/console/flows", nothing: "/console/flows?q=%2B10000000", flow: `/console/flows/${id}`, erase: `/console/flows/${id}/erase`,
    carriers: "/console/carriers", figures: "/console/figures", callbacks: "/console/callbacks", "opt-outs": "/console/opt-outs",
    applications: "/console/applications", routes: "/console/routes?channel=Sms&to=6900000010", users: "/console/users", audit: "/console/users/audit",
    try: "/console/try", "sign-in": "/console/sign-in", home: "/" };
  const found = [];
  const { page, context } = await person(browser);
  await signIn(page, "anna");
  for (const [name, address] of Object.entries(pages)) {
    await page.goto(address);
    await page.evaluate(axe);
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [360, 1280]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        const { violations } = await page.evaluate(() => window.axe.run());
        for (const { id: rule, nodes } of violations) found.push(`${name}, ${colorScheme}, ${width}: ${rule}: ${nodes[0].html}`);
        const isWider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
        if (isWider) found.push(`${name}, ${width}: wider than the window`);
        if (told.shots) await page.screenshot({ path: path.join(told.shots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      }
    }
  }
  await context.close();
  assert.deepEqual(found, []);
}

async function main() {
  await takeToken();
  const smsc = await openSmsc();
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [
    "--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP switchback.test 127.0.0.1"] });
  try {
    const { page: admin, wrong } = await person(browser);
    await admin.goto(told.link);
    await admin.getByLabel("Password").fill(PASSWORD);
    await admin.keyboard.press("Enter");
    await admin.waitForURL("**/console/sign-in");
    await signIn(admin, "anna");
    const story = async (name, play) => { await play(); console.log(`  ${name}: as it should be`); };
    let sue;
    await story("support, by mouse", async () => { sue = await support(browser, admin); });
    if (!told.shots) {
      await story("support, by keyboard", () => keyboard(browser));
      await story("a viewer", () => viewer(browser, admin));
      await story("over a network", () => network(browser, admin));
      await story("an operator", () => operator(admin, smsc));
      await story("an administrator", () => administrator(browser, admin));
      await story("states as sentences", () => states(sue, admin));
      await story("hostile pages and texts", () => hostile(browser, admin, wrong));
    }
    const id = await send([viber("+306900000010"), sms("+306900000010")]);
    await ended(id);
    await story("every page", () => everyPage(browser, id));
  } finally {
    await browser.close();
  }
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
