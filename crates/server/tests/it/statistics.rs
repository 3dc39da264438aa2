//! `GET /failover/statistics`: figures that agree with searches and trackings.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

const RATES: &str = r#"
[[carrier]]
name = "sandbox"
kind = "sandbox"
channels = ["Sms", "Viber", "Voice"]
prices = { Sms = "0.045", Viber = "0.020", Voice = "0.060" }
"#;

impl TestServer {
    async fn statistics(&self, query: &str) -> (reqwest::StatusCode, Value) {
        answer(self.request(Method::GET, &format!("/failover/statistics?{query}"))).await
    }
}

/// Sends flows of several ends, after which nothing more comes, and waits for them.
async fn send_some(server: &TestServer) -> Vec<String> {
    let mut ids = Vec::new();
    for to in ["+306900000010", "+306900000011", "+4915100000070"] {
        ids.push(server.send(&json!({"flow": [viber(1, to), sms(2, to)]})).await);
    }
    ids.push(server.send(&json!({"flow": [sms(1, "+306900000000")]})).await);
    for id in &ids {
        server.track_to_end(id).await;
    }
    ids
}

#[tokio::test]
async fn totals_are_those_of_a_search_and_of_its_trackings() {
    let server = TestServer::start("").await;
    assert_eq!(server.statistics("").await.1["totals"]["flows"], 0);
    send_some(&server).await;
    let page = server.search("size=100", json!([])).await;
    let trackings = page["content"].as_array().unwrap();
    let (status, all) = server.statistics("").await;
    assert_eq!(status, 200, "{all}");
    let messages: usize = trackings.iter().map(|of| of["messages"].as_array().unwrap().len()).sum();
    let with = |status: &str| trackings.iter().filter(|of| of["status"] == status).count() as f64;
    let totals = &all["totals"];
    assert_eq!(totals["flows"], page["totalElements"]);
    assert_eq!(totals["messages"], messages);
    assert_eq!(totals["successShare"].as_f64(), Some(with("Succeeded") / 4.0));
    assert!(totals["latencyP50"].as_u64() <= totals["latencyP95"].as_u64(), "{totals}");
    assert!(totals["timeToEnd"].is_u64(), "{totals}");

    // Of the quarter before and of the one behind there is nothing.
    for (query, flows) in [
        ("dateStart=2020-01-01&dateEnd=2020-01-02", 0),
        ("dateStart=2020-01-01", 4),
        ("dateEnd=9999-12-31T23:59:59Z", 4),
        ("dateStart=9000-01-01T00:15:00Z", 0),
    ] {
        assert_eq!(server.statistics(query).await.1["totals"]["flows"], flows, "{query}");
        assert_eq!(server.search(query, json!([])).await["totalElements"], flows, "{query}");
    }

    // Groups add up to the totals, whatever they are.
    for group in ["channel", "carrier", "country", "network", "status", "channel,country,status"] {
        let (_, grouped) = server.statistics(&format!("interval=hour&groupBy={group}")).await;
        assert_eq!(grouped["totals"], *totals, "{group}");
        let rows = grouped["rows"].as_array().unwrap();
        let counted: u64 = rows.iter().map(|row| row["messages"].as_u64().unwrap()).sum();
        assert_eq!(counted as usize, messages, "{group}");
        assert!(rows.iter().all(|row| row["flows"].is_null()), "{group}");
    }
    let (_, by_country) = server.statistics("groupBy=country&interval=month&timeZone=Asia/Kolkata").await;
    let rows = by_country["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["country"] == "DE") && rows.iter().any(|row| row["country"] == "GR"));
    assert!(rows[0]["start"].as_str().unwrap().ends_with("-01T00:00:00+05:30"), "{rows:?}");
}

#[tokio::test]
async fn what_is_erased_or_cancelled_stays_counted() {
    let server = TestServer::start(RATES).await;
    let ids = send_some(&server).await;
    let (_, before) = server.statistics("").await;
    assert!(before["totals"]["price"].as_f64() > Some(0.0), "{before}");
    for id in &ids {
        let erased =
            server.request(Method::DELETE, &format!("/failover/tracking/{id}")).send().await.unwrap();
        assert_eq!(erased.status(), 204);
    }
    assert_eq!(server.search("", json!([])).await["totalElements"], 0);
    assert_eq!(server.statistics("").await.1, before);
    // What is refused never counts.
    let (status, _) = server.post("/failover", &json!({"flow": [sms(1, "1")]})).await;
    assert_eq!(status, 400);
    assert_eq!(server.statistics("").await.1, before);
}

#[tokio::test]
async fn rows_come_as_csv_and_wrong_questions_are_named() {
    let server = TestServer::start("").await;
    send_some(&server).await;
    let request =
        server.request(Method::GET, "/failover/statistics?groupBy=channel").header("accept", "text/csv");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header =
        "start,channel,flows,messages,parts,price,successShare,failoverShare,timeToEnd,latencyP50,latencyP95";
    assert_eq!(lines[0], header);
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(",Sms,,"), "{text}");

    for (query, field) in [
        ("dateStart=2025-05-05T15:10Z", "dateStart"),
        ("dateEnd=never", "dateEnd"),
        ("dateStart=2026-01-01&dateEnd=2025-01-01", "dateStart"),
        ("interval=year", "interval"),
        ("timeZone=Athens", "timeZone"),
        ("groupBy=to", "groupBy"),
        ("page=1", "page"),
    ] {
        let (status, told) = server.statistics(query).await;
        assert_eq!((status.as_u16(), told["errors"][0]["field"].as_str()), (400, Some(field)), "{told}");
    }
    let response = server.client.get(format!("{}/failover/statistics", server.url)).send().await.unwrap();
    assert_eq!(response.status(), 401);
}
