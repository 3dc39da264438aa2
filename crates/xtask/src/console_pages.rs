//! The console's pages for `cargo xtask bench pages`, as a browser of an operator asks for them.

use crate::load::{Client, Server};
use anyhow::{Context, ensure};
use serde_json::Value;

/// A password of this run.
const PASSWORD: &str = "for this run alone";

/// An operator who is signed in.
pub struct Operator {
    cookie: String,
}

impl Operator {
    /// Adds an operator to the server's data and signs in, as a person does.
    pub fn sign_in(server: &Server) -> anyhow::Result<Operator> {
        let name = format!("bench-{}", std::process::id());
        let link = server.command(&["user", "add", &name, "--role", "support"])?;
        let code = link.split("code=").nth(1).context("no link")?;
        let code: String = code.chars().take_while(|symbol| !symbol.is_whitespace()).collect();
        let mut client = Client::connect(&server.address)?;
        let answers = [
            ("welcome", format!("code={code}&name={name}&password={}", PASSWORD.replace(' ', "+"))),
            ("sign-in", format!("then=&name={name}&password={}", PASSWORD.replace(' ', "+"))),
        ];
        for (page, form) in answers {
            let (status, _) = client.answer(&submit(&format!("/console/{page}"), &form))?;
            ensure!(status == 303, "{page}: {status}");
        }
        let cookie = client.header("set-cookie").context("no session")?;
        Ok(Operator { cookie: cookie.split(';').next().unwrap_or_default().to_owned() })
    }

    /// Asks for a page.
    fn get(&self, path: &str) -> Vec<u8> {
        let cookie = &self.cookie;
        format!("GET {path} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n").into_bytes()
    }

    /// Lists of flows as support asks for them: the newest, one status, a number as people write it, a part
    /// of a number, and pages further on.
    pub fn lists(&self, count: usize) -> Vec<Vec<u8>> {
        let list = |i: usize| match i % 5 {
            0 => "/console/flows".to_owned(),
            1 => "/console/flows?status=Succeeded".to_owned(),
            2 => format!("/console/flows?q=%2B30+690+{:06}0", i * 7919 % 1_000_000),
            3 => format!("/console/flows?q={:05}", i * 7919 % 100_000),
            _ => format!("/console/flows?page={}", i * 7919 % 100_000),
        };
        (0..count).map(|i| self.get(&list(i))).collect()
    }

    /// Pages of single flows, by their ids in a page of a search.
    pub fn flows(&self, found: &Value, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        let found = found["content"].as_array().context("no content")?;
        let ids: Vec<_> = found.iter().filter_map(|tracking| tracking["trackingId"].as_str()).collect();
        ensure!(!ids.is_empty(), "no flow to look at");
        Ok((0..count).map(|i| self.get(&format!("/console/flows/{}", ids[i % ids.len()]))).collect())
    }
}

/// Submits a form from a page of the server.
fn submit(path: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}
