// Node's HTTP/2 client: asks for /health/live and for what needs a token, 100 times at once, over one connection. Argument: the
// URL.
const http2 = require("node:http2");

const session = http2.connect(process.argv[2], { rejectUnauthorized: false });
session.on("error", (error) => { throw error; });

function ask(headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    let status, text = "";
    stream.on("response", (answer) => { status = answer[":status"]; });
    stream.on("data", (data) => { text += data; });
    stream.on("end", () => resolve(`${status} ${JSON.parse(text).status ?? JSON.parse(text).code}`));
    stream.on("error", reject);
    stream.end(body);
  });
}

const post = { ":method": "POST", ":path": "/failover", "content-type": "application/json" };
const both = () => [ask({ ":path": "/health/live" }), ask(post, "x".repeat(100_000))];
Promise.all(Array.from({ length: 50 }, both).flat()).then((answers) => {
  console.log([...new Set(answers)].join(", "));
  session.close();
});
